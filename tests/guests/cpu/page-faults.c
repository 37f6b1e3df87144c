/* 256 page faults in each iteration: fresh anonymous memory, a byte of each page read and written, and all unmapped. */
#include "guest.h"

enum { PAGES = 256, PAGE_BYTES = 4096 };
enum { PROT_READ_WRITE = 3, MAP_PRIVATE_ANONYMOUS = 0x22, MADV_NOHUGEPAGE = 15 };

static u64 run(u64 iterations, u32 threads) {
  (void)threads;
  const u64 bytes = (u64)PAGES * PAGE_BYTES;
  u64 checksum = 0;
  for (u64 i = 0; i < iterations; i++) {
    i64 address = syscall6(SYS_mmap, 0, (i64)bytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
    if (address < 0 && address > -4096) fail("mmap");
    /* A kernel without huge pages refuses, which is as well. */
    syscall3(SYS_madvise, address, (i64)bytes, MADV_NOHUGEPAGE);
    volatile u8 *memory = (volatile u8 *)address;
    u64 sum = 0;
    for (u64 page = 0; page < PAGES; page++) {
      memory[page * PAGE_BYTES + page] += (u8)(page ^ i);
      sum = sum * 3 + memory[page * PAGE_BYTES + page];
    }
    checksum = fold(checksum, sum);
    if (syscall3(SYS_munmap, address, (i64)bytes, 0) != 0) fail("munmap");
  }
  return checksum;
}

int program(int argc, char **argv) { return measure(argc, argv, (struct work){0, run}); }
