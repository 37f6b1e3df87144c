/* Each load's address is the one before's value: a single cycle through 8 MiB in random order, more pages than TLBs have. */
#include "guest.h"

enum { ENTRIES = 1 << 20, STEPS = 1000 };

static struct entry {
  struct entry *next;
} entries[ENTRIES];

/* Sattolo's algorithm: a random permutation that is one cycle. */
static void prepare(void) {
  u64 seed = 2463534242;
  for (u32 i = 0; i < ENTRIES; i++) entries[i].next = &entries[i];
  for (u32 i = ENTRIES - 1; i > 0; i--) {
    u32 other = (u32)((next_random(&seed) >> 32) * i >> 32);
    struct entry *next = entries[i].next;
    entries[i].next = entries[other].next;
    entries[other].next = next;
  }
}

static u64 run(u64 iterations, u32 threads) {
  (void)threads;
  u64 checksum = 0;
  struct entry *at = entries;
  for (u64 i = 0; i < iterations; i++) {
    for (u32 step = 0; step < STEPS; step++) at = at->next;
    checksum = fold(checksum, (u64)(at - entries));
  }
  return checksum;
}

int program(int argc, char **argv) { return measure(argc, argv, (struct work){prepare, run}); }
