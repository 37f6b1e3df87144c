/* Integers, both kinds of floating point, threads with atomics, long jumps, signals and the C library's formats. */
#include <complex.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_long total;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long guarded;
static sigjmp_buf back;

static void *add(void *argument) {
  for (long i = 0; i < 20000; i++) {
    total += i & (long)argument;
    pthread_mutex_lock(&mutex);
    guarded++;
    pthread_mutex_unlock(&mutex);
  }
  return argument;
}

static void on_fault(int number) { siglongjmp(back, number); }

static int compare(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static void integers(void) {
  static uint32_t values[10000];
  uint64_t state = 88172645463325252u, sum = 0;
  for (int i = 0; i < 10000; i++) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    values[i] = (uint32_t)state;
    sum += state % 1009 + (uint64_t)((int64_t)state / 77);
  }
  qsort(values, 10000, sizeof *values, compare);
  unsigned __int128 product = (unsigned __int128)state * sum;
  printf("%08" PRIx32 " %08" PRIx32 " %016" PRIx64 " %016" PRIx64 "\n", values[0], values[9999], sum,
         (uint64_t)(product % 1000000007u));
  printf("%d %d %d\n", __builtin_popcountll(state), __builtin_clzll(sum), __builtin_ctzll(state | 1ull << 40));
}

static void floats(void) {
  double matrix[24][24], trace = 0;
  for (int i = 0; i < 24; i++)
    for (int j = 0; j < 24; j++) matrix[i][j] = (i * 7 + j * 3) % 11 + (i == j) * 50;
  for (int k = 0; k < 24; k++)
    for (int i = k + 1; i < 24; i++) {
      double factor = matrix[i][k] / matrix[k][k];
      for (int j = k; j < 24; j++) matrix[i][j] -= factor * matrix[k][j];
    }
  for (int i = 0; i < 24; i++) trace += log(fabs(matrix[i][i]));
  float single = 0;
  for (int i = 1; i < 1000; i++) single += 1.0f / (float)(i * i);
  long double extended = 0;
  for (int i = 1; i < 1000; i++) extended += 1.0L / i;
  printf("%.9f %.4f %.12Lf %.9Lf\n", trace, single, extended, sinl(2.5L));
  printf("%.9f %.9f %.9f %.9f\n", tgamma(4.5), cbrt(17), hypot(3, 5), creal(cexp(1 + 2 * I)));
  printf("%a %La %.17g %Lg %ld %lld\n", 1.0 / 1024, 3.0L, 0.1, 1e4000L, lround(2.5), llrintl(-3.5L));
}

static void faults(void) {
  volatile int zero = 0;
  signal(SIGFPE, on_fault);
  signal(SIGSEGV, on_fault);
  signal(SIGILL, on_fault);
  int number = sigsetjmp(back, 1);
  if (number == 0) printf("%d\n", 7 / zero);
  printf("divided: %s\n", strsignal(number));
  number = sigsetjmp(back, 1);
  if (number == 0) *(volatile char *)(8l + zero) = 1;
  printf("stored: %s\n", strsignal(number));
  number = sigsetjmp(back, 1);
  if (number == 0) __asm__ volatile("ud2");
  printf("executed: %s\n", strsignal(number));
}

int main(void) {
  integers();
  floats();
  faults();
  pthread_t threads[4];
  for (long i = 0; i < 4; i++) pthread_create(&threads[i], 0, add, (void *)(i * 3 + 1));
  for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
  printf("%ld %ld\n", total, guarded);
  return 0;
}
