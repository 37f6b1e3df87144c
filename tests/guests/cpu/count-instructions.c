/*
 * Runs a program on the host one instruction at a time (ptrace(2), PTRACE_SINGLESTEP) and says how many they were, from
 * its first to its last. Arguments: PROGRAM ITERATIONS. Each repetition of a REP counts as one.
 */
#include "guest.h"

enum { PTRACE_TRACEME = 0, PTRACE_SINGLESTEP = 9 };

static i64 ptrace(i64 request, i64 pid) { return syscall6(SYS_ptrace, request, pid, 0, 0, 0, 0); }

static int wait_for(i64 pid) {
  i32 status = 0;
  if (syscall6(SYS_wait4, pid, (i64)&status, 0, 0, 0, 0) != pid) fail("wait4");
  return status;
}

int program(int argc, char **argv) {
  if (argc != 3) fail("usage: count-instructions PROGRAM ITERATIONS");
  i64 pid = syscall3(SYS_fork, 0, 0, 0);
  if (pid < 0) fail("fork");
  if (pid == 0) {
    char *const environment[] = {0};
    if (ptrace(PTRACE_TRACEME, 0) != 0) fail("PTRACE_TRACEME");
    syscall3(SYS_execve, (i64)argv[1], (i64)(argv + 1), (i64)environment);
    fail("execve");
  }
  u64 count = 0;
  int status = wait_for(pid);
  /* 0x7f in the low byte: stopped, not ended. */
  for (; (status & 0xff) == 0x7f; status = wait_for(pid), count++)
    if (ptrace(PTRACE_SINGLESTEP, pid) != 0) fail("PTRACE_SINGLESTEP");
  if (status != 0) fail("the program did not end well");
  struct line line = {.length = 0};
  put_text(&line, "instructions ");
  put_number(&line, count, 10);
  write_line(&line);
  return 0;
}
