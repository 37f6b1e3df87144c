/* A Lempel-Ziv compressor of the byte-oriented kind, and its decompressor, on 32 KiB that read like a log. */
#include "guest.h"

enum {
  SIZE = 32 << 10,
  HASH_BITS = 12,
  NEAREST_MATCH = 4,
  LONGEST_MATCH = 127 + NEAREST_MATCH,
  LONGEST_LITERAL = 128,
  WINDOW = 0xffff,
};

static u8 plain[SIZE], packed[SIZE * 2], unpacked[SIZE + LONGEST_MATCH];
static u32 last_seen[1 << HASH_BITS];

static void prepare(void) {
  static const char *const words[] = {"kernel: ", "ttyS0 ", "at I/O ", "0x3f8 ", "irq=4 ", "is a ", "16550A",
                                      "\n",       "pci ",   "BAR 0: ", "[mem ",  "size ",  "ok ",   "..."};
  u64 seed = 5783321;
  u32 at = 0;
  while (at < SIZE) {
    u64 random = next_random(&seed) >> 16;
    const char *word = words[random % (sizeof words / sizeof words[0])];
    while (*word != 0 && at < SIZE) plain[at++] = (u8)*word++;
    if (random >> 8 & 1 && at < SIZE) plain[at++] = (u8)('0' + (random >> 12) % 10);
  }
}

static inline u32 load(const u8 *at) { return at[0] | (u32)at[1] << 8 | (u32)at[2] << 16 | (u32)at[3] << 24; }

static u32 put_literals(u32 out, u32 from, u32 to) {
  while (from < to) {
    u32 count = to - from < LONGEST_LITERAL ? to - from : LONGEST_LITERAL;
    packed[out++] = (u8)(count - 1);
    while (count-- > 0) packed[out++] = plain[from++];
  }
  return out;
}

static u32 match_length(u32 a, u32 b) {
  u32 length = 0;
  while (b + length < SIZE && length < LONGEST_MATCH && plain[a + length] == plain[b + length]) length++;
  return length;
}

static NOINLINE u32 compress(void) {
  u32 out = 0, literals = 0, at = 0;
  for (u32 i = 0; i < 1 << HASH_BITS; i++) last_seen[i] = 0;
  while (at + NEAREST_MATCH <= SIZE) {
    u32 *entry = &last_seen[load(plain + at) * 2654435761u >> (32 - HASH_BITS)];
    u32 before = *entry;
    *entry = at + 1;
    u32 length = before != 0 && at - (before - 1) <= WINDOW ? match_length(before - 1, at) : 0;
    if (length < NEAREST_MATCH) {
      at++;
      continue;
    }
    out = put_literals(out, literals, at);
    u32 distance = at - (before - 1);
    packed[out++] = (u8)(128 + length - NEAREST_MATCH);
    packed[out++] = (u8)distance;
    packed[out++] = (u8)(distance >> 8);
    at += length;
    literals = at;
  }
  return put_literals(out, literals, SIZE);
}

static NOINLINE u32 decompress(u32 packed_bytes) {
  u32 out = 0, at = 0;
  while (at < packed_bytes && out < SIZE) {
    u32 token = packed[at++];
    if (token < 128) {
      for (u32 count = token + 1; count > 0; count--) unpacked[out++] = packed[at++];
      continue;
    }
    u32 distance = packed[at] | (u32)packed[at + 1] << 8;
    at += 2;
    for (u32 count = token - 128 + NEAREST_MATCH; count > 0; count--, out++) unpacked[out] = unpacked[out - distance];
  }
  return out;
}

static u64 run(u64 iterations, u32 threads) {
  (void)threads;
  u64 checksum = 0;
  for (u64 i = 0; i < iterations; i++) {
    plain[i * 97 % SIZE] = (u8)i;
    u32 bytes = compress();
    if (decompress(bytes) != SIZE) fail("the decompressed text has another length");
    for (u32 at = 0; at < SIZE; at++)
      if (plain[at] != unpacked[at]) fail("the decompressed text is another");
    checksum = fold(checksum, bytes);
  }
  return checksum;
}

int program(int argc, char **argv) { return measure(argc, argv, (struct work){prepare, run}); }
