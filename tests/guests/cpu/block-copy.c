/* Blocks of 1 byte to 16 KiB by the string instructions, REP MOVSB, MOVSQ and STOSB, at all alignments. */
#include "guest.h"

enum { LARGEST = 16 << 10, BUFFER = 64 << 10 };

static u8 from[BUFFER + LARGEST], to[BUFFER + LARGEST];

static void prepare(void) {
  u64 seed = 521288629;
  for (u32 i = 0; i < sizeof from; i++) from[i] = (u8)(next_random(&seed) >> 24);
}

static inline void copy_bytes(u8 *to, const u8 *from, u64 count) {
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static inline void copy_words(u8 *to, const u8 *from, u64 count) {
  __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static inline void fill(u8 *to, u8 value, u64 count) {
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
}

static u64 run(u64 iterations, u32 threads) {
  (void)threads;
  u64 checksum = 0;
  u64 seed = 88675123;
  for (u64 i = 0; i < iterations; i++) {
    u64 random = next_random(&seed);
    /* Short blocks are as frequent as long ones. */
    u64 length = 1 + (random >> 40) % (1ul << (1 + random % 14));
    u64 source = random >> 8 & (BUFFER - 1);
    u64 target = random >> 24 & (BUFFER - 1);
    copy_bytes(to + target, from + source, length);
    copy_words(to + source, to + target, length / 8);
    fill(to + (target ^ 0x5555), (u8)i, length / 4);
    checksum = fold(checksum, to[source + length / 16] + to[target] * 256u);
  }
  return checksum;
}

int program(int argc, char **argv) { return measure(argc, argv, (struct work){prepare, run}); }
