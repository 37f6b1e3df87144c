/* Calls and returns: a doubly recursive function, called directly, and a tree that is walked through function pointers. */
#include "guest.h"

#define REAL_CALLS NOINLINE __attribute__((optimize("no-optimize-sibling-calls")))

enum { DEPTH = 15, TREE_DEPTH = 10 };

static REAL_CALLS u64 fibonacci(u64 n) {
  if (n < 2) return n;
  u64 a = fibonacci(n - 1);
  u64 b = fibonacci(n - 2);
  return a + b;
}

typedef u64 (*visit)(u64 path, u32 depth);
static u64 go_left(u64 path, u32 depth);
static u64 go_right(u64 path, u32 depth);
/* Volatile: the compiler must not know whom it calls. */
static volatile visit visits[2] = {go_left, go_right};

static REAL_CALLS u64 go_left(u64 path, u32 depth) {
  if (depth == 0) return path;
  u64 first = visits[0](path * 2, depth - 1);
  return first ^ visits[1](path * 2 + 1, depth - 1);
}

static REAL_CALLS u64 go_right(u64 path, u32 depth) {
  if (depth == 0) return path * 3;
  u64 first = visits[1](path * 2 + 1, depth - 1);
  return first + visits[0](path * 2, depth - 1);
}

static u64 run(u64 iterations, u32 threads) {
  (void)threads;
  u64 checksum = 0;
  for (u64 i = 0; i < iterations; i++) {
    checksum = fold(checksum, fibonacci(DEPTH + (i & 1)));
    checksum = fold(checksum, visits[i & 1](checksum & 0xff, TREE_DEPTH));
  }
  return checksum;
}

int program(int argc, char **argv) { return measure(argc, argv, (struct work){0, run}); }
