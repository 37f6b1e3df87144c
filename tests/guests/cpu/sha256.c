/* SHA-256 (FIPS 180-4 §6.2 "SHA-256") of 4 KiB at a time, each message beginning with the digest before. */
#include "guest.h"

enum { MESSAGE_BYTES = 4096, BLOCK_BYTES = 64, ROUNDS = 64 };

/* The first 32 bits of the fractional parts of the square and cube roots of the first primes, worked out by prepare(). */
static u32 initial[8], constants[ROUNDS];
static u8 message[MESSAGE_BYTES + BLOCK_BYTES];

/* The largest r with r to the power of `power` <= n * 2^(32 * power), by bisection: 32 bits beyond the point. */
static u64 root(u32 n, u32 power) {
  u64 low = 0, high = 1ul << 37;
  while (low + 1 < high) {
    u64 middle = (low + high) / 2;
    unsigned __int128 value = (unsigned __int128)middle * middle;
    /* A cube has up to 111 bits: n * 2^96 still fits. */
    if (power == 3) value *= middle;
    if (value <= (unsigned __int128)n << (32 * power)) low = middle;
    else high = middle;
  }
  return low;
}

static void prepare(void) {
  u32 found = 0;
  for (u32 n = 2; found < ROUNDS; n++) {
    int prime = 1;
    for (u32 divisor = 2; divisor * divisor <= n; divisor++)
      if (n % divisor == 0) prime = 0;
    if (!prime) continue;
    if (found < 8) initial[found] = (u32)root(n, 2);
    constants[found++] = (u32)root(n, 3);
  }
  for (u32 i = 0; i < MESSAGE_BYTES; i++) message[i] = (u8)(i * 7);
  /* §5.1.1: a one bit, zeros, and the length in bits. */
  message[MESSAGE_BYTES] = 0x80;
  message[MESSAGE_BYTES + BLOCK_BYTES - 2] = MESSAGE_BYTES * 8 >> 8 & 0xff;
}

static inline u32 rotate(u32 value, int by) { return value >> by | value << (32 - by); }

static inline u32 load_big_endian(const u8 *at) {
  return (u32)at[0] << 24 | (u32)at[1] << 16 | (u32)at[2] << 8 | at[3];
}

static NOINLINE void hash_block(u32 hash[8], const u8 *block) {
  u32 w[ROUNDS];
  for (int t = 0; t < 16; t++) w[t] = load_big_endian(block + 4 * t);
  for (int t = 16; t < ROUNDS; t++) {
    u32 s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3;
    u32 s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10;
    w[t] = s1 + w[t - 7] + s0 + w[t - 16];
  }
  u32 a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4], f = hash[5], g = hash[6], h = hash[7];
  for (int t = 0; t < ROUNDS; t++) {
    u32 sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    u32 t1 = h + sum1 + ((e & f) ^ (~e & g)) + constants[t] + w[t];
    u32 sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    u32 t2 = sum0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  hash[0] += a, hash[1] += b, hash[2] += c, hash[3] += d, hash[4] += e, hash[5] += f, hash[6] += g, hash[7] += h;
}

static u64 run(u64 iterations, u32 threads) {
  (void)threads;
  u64 checksum = 0;
  for (u64 i = 0; i < iterations; i++) {
    u32 hash[8];
    for (int n = 0; n < 8; n++) hash[n] = initial[n];
    for (u32 at = 0; at < sizeof message; at += BLOCK_BYTES) hash_block(hash, message + at);
    for (int n = 0; n < 32; n++) message[n] = (u8)(hash[n / 4] >> (24 - n % 4 * 8));
    checksum = (u64)hash[0] << 32 | hash[1];
  }
  return checksum;
}

int program(int argc, char **argv) { return measure(argc, argv, (struct work){prepare, run}); }
