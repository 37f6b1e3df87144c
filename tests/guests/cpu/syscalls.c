/* The shortest way into the kernel and back: umask(2), whose answer is what the call before was told, and getppid(2). */
#include "guest.h"

static u64 run(u64 iterations, u32 threads) {
  (void)threads;
  u64 checksum = 0;
  i64 parent = syscall3(SYS_getppid, 0, 0, 0);
  syscall3(SYS_umask, 0, 0, 0);
  for (u64 i = 0; i < iterations; i++) {
    checksum = fold(checksum, (u64)syscall3(SYS_umask, (i64)(i & 0777), 0, 0));
    checksum += syscall3(SYS_getppid, 0, 0, 0) == parent;
  }
  return checksum;
}

int program(int argc, char **argv) { return measure(argc, argv, (struct work){0, run}); }
