/*
 * What the guest programs share: no C library, only Linux's system calls (x86-64 System V ABI, AMD64 supplement 1.0 §A.2
 * "AMD64 Linux Kernel Conventions"). A program defines program(); measure() times its work and prints two lines:
 *
 *     NAME begins
 *     NAME ITERATIONS NANOSECONDS CHECKSUM
 *
 * Whoever reads them can hold the time between them against the nanoseconds, for a guest's clock may be wrong, too.
 * The checksum depends on all that was computed and on nothing of the machine, so that a processor that computes wrongly
 * is told from one that is fast.
 */
#ifndef GUEST_H
#define GUEST_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef int i32;
typedef long i64;

#define NOINLINE __attribute__((noinline, noclone))
/* Linux, arch/x86/entry/syscalls/syscall_64.tbl. */
enum {
  SYS_read = 0,
  SYS_write = 1,
  SYS_mmap = 9,
  SYS_munmap = 11,
  SYS_madvise = 28,
  SYS_clone = 56,
  SYS_fork = 57,
  SYS_execve = 59,
  SYS_exit = 60,
  SYS_wait4 = 61,
  SYS_umask = 95,
  SYS_ptrace = 101,
  SYS_getppid = 110,
  SYS_reboot = 169,
  SYS_futex = 202,
  SYS_sched_setaffinity = 203,
  SYS_clock_gettime = 228,
  SYS_exit_group = 231,
};

static inline i64 syscall6(i64 number, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f) {
  register i64 r10 __asm__("r10") = d;
  register i64 r8 __asm__("r8") = e;
  register i64 r9 __asm__("r9") = f;
  i64 result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

static inline i64 syscall3(i64 number, i64 a, i64 b, i64 c) { return syscall6(number, a, b, c, 0, 0, 0); }

__attribute__((noreturn)) static inline void leave(int status) {
  for (;;) syscall3(SYS_exit_group, status, 0, 0);
}

/* One line, written at once. */
struct line {
  u32 length;
  char text[256];
};

static inline void put_text(struct line *line, const char *text) {
  while (*text != 0 && line->length < sizeof line->text) line->text[line->length++] = *text++;
}

static inline void put_number(struct line *line, u64 value, u32 base) {
  char digits[24];
  u32 at = sizeof digits;
  digits[--at] = 0;
  do digits[--at] = "0123456789abcdef"[value % base];
  while ((value /= base) != 0);
  put_text(line, digits + at);
}

/* The last `width` digits, by as many instructions whatever they are. */
static inline void put_digits(struct line *line, u64 value, u32 base, u32 width) {
  char digits[24];
  digits[width] = 0;
  for (u32 at = width; at-- > 0; value /= base) digits[at] = "0123456789abcdef"[value % base];
  put_text(line, digits);
}

static inline void write_line(struct line *line) {
  put_text(line, "\n");
  syscall3(SYS_write, 1, (i64)line->text, line->length);
}

__attribute__((noreturn)) static inline void fail(const char *what) {
  struct line line = {.length = 0};
  put_text(&line, "failed: ");
  put_text(&line, what);
  write_line(&line);
  leave(1);
}

static inline u64 parse_number(const char *text) {
  u64 value = 0;
  while (*text >= '0' && *text <= '9') value = value * 10 + (u64)(*text++ - '0');
  return value;
}

static inline u64 nanoseconds(void) {
  enum { CLOCK_MONOTONIC = 1 };
  i64 time[2] = {0, 0};
  if (syscall3(SYS_clock_gettime, CLOCK_MONOTONIC, (i64)time, 0) != 0) fail("clock_gettime");
  return (u64)time[0] * 1000000000 + (u64)time[1];
}

/* Without a branch, so that folding costs the same whatever is folded. */
static inline u64 fold(u64 checksum, u64 value) {
  return ((checksum << 7 | checksum >> 57) ^ value) * 0x9e3779b97f4a7c15;
}

/* Marsaglia, "Xorshift RNGs" (2003), with the shifts 13, 7, 17. */
static inline u64 next_random(u64 *state) {
  u64 x = *state;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return *state = x;
}

struct work {
  /* Not timed. May be null. */
  void (*prepare)(void);
  /* Returns the checksum. */
  u64 (*run)(u64 iterations, u32 threads);
};

#ifdef PROGRAM_NAME
/* Arguments: ITERATIONS [THREADS]. */
static inline int measure(int argc, char **argv, struct work work) {
  u64 iterations = argc > 1 ? parse_number(argv[1]) : 0;
  u32 threads = argc > 2 ? (u32)parse_number(argv[2]) : 1;
  if (iterations == 0 || threads == 0) fail("usage: PROGRAM ITERATIONS [THREADS]");
  if (work.prepare) work.prepare();
  struct line begin = {.length = 0};
  put_text(&begin, PROGRAM_NAME " begins");
  write_line(&begin);
  u64 start = nanoseconds();
  u64 checksum = work.run(iterations, threads);
  u64 end = nanoseconds();
  struct line line = {.length = 0};
  put_text(&line, PROGRAM_NAME " ");
  put_number(&line, iterations, 10);
  /* Of fixed width, so that instructions can be counted (count-instructions.c): these are the same for any result. */
  put_text(&line, " ");
  put_digits(&line, end - start, 10, 15);
  put_text(&line, " ");
  put_digits(&line, checksum, 16, 16);
  write_line(&line);
  return 0;
}
#endif

int program(int argc, char **argv);

/* The stack at the entry holds argc, then argv (AMD64 supplement 1.0 §3.4.1 "Initial Stack and Register State"). */
__asm__(".globl _start\n"
        "_start:\n"
        "  xor %ebp, %ebp\n"
        "  mov (%rsp), %edi\n"
        "  lea 8(%rsp), %rsi\n"
        "  and $-16, %rsp\n"
        "  call program\n"
        "  mov %eax, %edi\n"
        "  mov $231, %eax\n"
        "  syscall\n"
        "  hlt\n");

#endif
