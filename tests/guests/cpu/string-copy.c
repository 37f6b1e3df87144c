/* Strings of many lengths, copied, compared and measured byte by byte, as C has it. */
#include "guest.h"

enum { STRINGS = 64, LONGEST = 256 };

static char from[STRINGS][LONGEST], to[STRINGS][LONGEST + 8];

static void prepare(void) {
  u64 seed = 362436069;
  for (int i = 0; i < STRINGS; i++) {
    u32 length = (u32)(next_random(&seed) >> 20) % (LONGEST - 1);
    for (u32 at = 0; at < length; at++) from[i][at] = (char)('a' + (next_random(&seed) >> 30) % 26);
    from[i][length] = 0;
  }
}

static NOINLINE void copy(char *to, const char *from) {
  while ((*to++ = *from++) != 0) {}
}

static NOINLINE u64 measure_length(const char *string) {
  const char *at = string;
  while (*at != 0) at++;
  return (u64)(at - string);
}

static NOINLINE int compare(const char *a, const char *b) {
  while (*a != 0 && *a == *b) a++, b++;
  return (u8)*a - (u8)*b;
}

static u64 run(u64 iterations, u32 threads) {
  (void)threads;
  u64 checksum = 0;
  for (u64 i = 0; i < iterations; i++)
    for (int n = 0; n < STRINGS; n++) {
      char *target = to[n] + (i & 7);
      const char *source = from[(n + i) % STRINGS];
      copy(target, source);
      checksum = fold(checksum, measure_length(target) * 512 + (u64)(compare(target, from[n]) + 256));
    }
  return checksum;
}

int program(int argc, char **argv) { return measure(argc, argv, (struct work){prepare, run}); }
