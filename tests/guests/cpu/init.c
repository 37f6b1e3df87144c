/*
 * The first process of the guest: runs programs as it is told on the console, and powers off. Commands, a line each:
 *
 *     run NUMBER NAME ITERATIONS THREADS    answered by `begin NUMBER`, the program's line, `done NUMBER STATUS`
 *     off
 *
 * The kernel's arguments after `--` may be such commands as well, with colons for spaces; then these are all.
 */
#include "guest.h"

enum { MOST_WORDS = 8 };

static u32 split(char *line, char *words[MOST_WORDS]) {
  u32 count = 0;
  int inside = 0;
  for (; *line != 0; line++) {
    int separator = *line == ' ' || *line == ':' || *line == '\n' || *line == '\r';
    if (separator) *line = 0;
    else if (!inside && count < MOST_WORDS - 1) words[count++] = line;
    inside = !separator;
  }
  words[count] = 0;
  return count;
}

static void answer(const char *what, const char *number, i64 status) {
  struct line line = {.length = 0};
  put_text(&line, what);
  put_text(&line, number);
  if (status >= 0) {
    put_text(&line, " ");
    put_number(&line, (u64)status, 10);
  }
  write_line(&line);
}

__attribute__((noreturn)) static void become(char **words) {
  struct line path = {.length = 0};
  put_text(&path, "/bin/");
  put_text(&path, words[0]);
  path.text[path.length < sizeof path.text ? path.length : sizeof path.text - 1] = 0;
  char *const environment[] = {0};
  words[0] = path.text;
  syscall3(SYS_execve, (i64)path.text, (i64)words, (i64)environment);
  leave(127);
}

/* An exit status, or 128 and the signal, as a shell has it. */
static i64 wait_for(i64 pid) {
  i32 status = 0;
  while (syscall6(SYS_wait4, pid, (i64)&status, 0, 0, 0, 0) != pid) {}
  return status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
}

__attribute__((noreturn)) static void power_off(void) {
  const u32 magic1 = 0xfee1dead, magic2 = 0x28121969, command = 0x4321fedc;
  for (;;) syscall3(SYS_reboot, magic1, magic2, command);
}

static void obey(char *line) {
  char *words[MOST_WORDS];
  u32 count = split(line, words);
  if (count == 0) return;
  if (words[0][0] == 'o') power_off();
  if (words[0][0] != 'r' || count < 4) {
    answer("not understood: ", words[0], -1);
    return;
  }
  answer("begin ", words[1], -1);
  i64 pid = syscall3(SYS_fork, 0, 0, 0);
  if (pid == 0) become(words + 2);
  answer("done ", words[1], pid < 0 ? 126 : wait_for(pid));
}

int program(int argc, char **argv) {
  static char line[4096];
  for (int i = 1; i < argc; i++) obey(argv[i]);
  if (argc > 1) power_off();
  answer("ready", "", -1);
  for (;;) {
    i64 length = syscall3(SYS_read, 0, (i64)line, sizeof line - 1);
    if (length <= 0) power_off();
    line[length] = 0;
    obey(line);
  }
}
