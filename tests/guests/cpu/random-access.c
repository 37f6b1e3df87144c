/* Loads and stores of 1, 2, 4 and 8 bytes all over 8 MiB, aligned and not; the next address does not wait for the data. */
#include "guest.h"

enum { BYTES = 8 << 20, STEPS = 256 };

static u8 memory[BYTES + 8];

#define AT(type, offset) (*(type __attribute__((aligned(1), may_alias)) *)(memory + (offset)))

/* The page faults of the first touch are another program's business. */
static void prepare(void) {
  for (u32 at = 0; at < sizeof memory; at += 4096) ((volatile u8 *)memory)[at] = 1;
}

static u64 run(u64 iterations, u32 threads) {
  (void)threads;
  u64 checksum = 0;
  u64 seed = 123456789;
  for (u64 i = 0; i < iterations; i++) {
    for (u32 step = 0; step < STEPS; step++) {
      u64 random = next_random(&seed);
      u64 offset = random % BYTES;
      u64 other = random >> 32 & (BYTES - 8);
      AT(u64, other) += random;
      AT(u32, offset) ^= (u32)(random >> 8);
      AT(u16, other + 3) = (u16)(AT(u16, offset) + step);
      checksum += AT(u8, offset + 1) ^ AT(u64, other);
    }
    checksum = fold(checksum, i);
  }
  return checksum;
}

int program(int argc, char **argv) { return measure(argc, argv, (struct work){prepare, run}); }
