/* 80-bit floating point by the x87: add, subtract, multiply, divide, square root and conversions, all exactly rounded. */
#include "guest.h"

enum { TERMS = 12 };

/* Of e to the power of x, by Horner's rule. */
static NOINLINE long double exponential(long double x) {
  long double sum = 1;
  for (int n = TERMS; n > 0; n--) sum = 1 + x * sum / n;
  return sum;
}

static NOINLINE long double newton_root(long double x) {
  long double guess = x / 2 + 0.5L;
  for (int i = 0; i < 5; i++) guess = (guess + x / guess) / 2;
  return guess;
}

static u64 bits_of(long double value) {
  union {
    long double value;
    struct {
      u64 significand;
      u16 exponent;
    } parts;
  } whole = {.value = value};
  return whole.parts.significand ^ (u64)whole.parts.exponent << 40;
}

static u64 run(u64 iterations, u32 threads) {
  (void)threads;
  u64 checksum = 0;
  long double x = 0.37L;
  for (u64 i = 0; i < iterations; i++) {
    /* The logistic map: one wrong bit and all that follows is another. */
    x = 3.9375L * x * (1 - x);
    long double sum = exponential(x) + newton_root(x + 1) - __builtin_sqrtl(x) + (long double)(i32)i;
    checksum = fold(checksum, bits_of(sum));
    checksum += (u64)(i64)(sum * 1024);
  }
  return checksum;
}

int program(int argc, char **argv) { return measure(argc, argv, (struct work){0, run}); }
