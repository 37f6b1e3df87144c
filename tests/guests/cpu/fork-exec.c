/* A process that is forked, replaces itself by this program, ends with a status it was told, and is waited for. */
#include "guest.h"

static char *path;

static int child(u64 number) { return (int)(number * 37 & 0x7f); }

static void exec_child(u64 number) {
  struct line line = {.length = 0};
  put_number(&line, number, 10);
  line.text[line.length] = 0;
  char *const arguments[] = {path, "child", line.text, 0};
  char *const environment[] = {0};
  syscall3(SYS_execve, (i64)path, (i64)arguments, (i64)environment);
  leave(255);
}

static u64 run(u64 iterations, u32 threads) {
  (void)threads;
  u64 checksum = 0;
  for (u64 i = 0; i < iterations; i++) {
    i64 pid = syscall3(SYS_fork, 0, 0, 0);
    if (pid < 0) fail("fork");
    if (pid == 0) exec_child(i);
    i32 status = 0;
    if (syscall6(SYS_wait4, pid, (i64)&status, 0, 0, 0, 0) != pid) fail("wait4");
    checksum = fold(checksum, (u64)(u32)status);
  }
  return checksum;
}

int program(int argc, char **argv) {
  path = argv[0];
  if (argc == 3 && argv[1][0] == 'c') return child(parse_number(argv[2]));
  return measure(argc, argv, (struct work){0, run});
}
