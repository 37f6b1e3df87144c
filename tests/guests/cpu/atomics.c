/* One thread for each vCPU: LOCK XADD and a LOCK CMPXCHG loop on what all share, LOCK INC on what each has alone. */
#include "guest.h"

enum { MOST_THREADS = 64, STACK_BYTES = 16 << 10 };
enum {
  CLONE_VM = 0x100,
  CLONE_FS = 0x200,
  CLONE_FILES = 0x400,
  CLONE_SIGHAND = 0x800,
  CLONE_THREAD = 0x10000,
  CLONE_SYSVSEM = 0x40000,
  CLONE_CHILD_CLEARTID = 0x200000,
};

static struct {
  u64 added __attribute__((aligned(64)));
  u64 exchanged __attribute__((aligned(64)));
} shared;

static struct worker {
  u64 alone __attribute__((aligned(64)));
  u64 iterations;
  u32 index;
  /* Cleared and woken by the kernel when the thread is gone. */
  u32 running;
  u8 stack[STACK_BYTES] __attribute__((aligned(64)));
} workers[MOST_THREADS];

static void work(struct worker *worker) {
  u64 affinity = 1ul << worker->index;
  /* Refused where there are fewer processors than threads: then they run where they can. */
  syscall3(SYS_sched_setaffinity, 0, sizeof affinity, (i64)&affinity);
  for (u64 i = 0; i < worker->iterations; i++) {
    __atomic_fetch_add(&shared.added, i & 3, __ATOMIC_SEQ_CST);
    u64 seen = __atomic_load_n(&shared.exchanged, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&shared.exchanged, &seen, seen + 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {}
    __asm__ volatile("lock incq %0" : "+m"(worker->alone) : : "cc");
  }
}

__attribute__((used, noreturn)) static void thread_main(struct worker *worker) {
  work(worker);
  for (;;) syscall3(SYS_exit, 0, 0, 0);
}

/* The new thread has an empty stack, so it must not return from here. */
static i64 start_thread(struct worker *worker) {
  const u64 flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
  register u32 *child_tid __asm__("r10") = &worker->running;
  register u64 thread_pointer __asm__("r8") = 0;
  i64 result;
  worker->running = 1;
  __asm__ volatile("syscall\n"
                   "  test %%rax, %%rax\n"
                   "  jnz 1f\n"
                   "  mov %[worker], %%rdi\n"
                   "  call thread_main\n"
                   "1:"
                   : "=a"(result)
                   : "0"((u64)SYS_clone), "D"(flags), "S"(worker->stack + STACK_BYTES), "d"(0ul), "r"(child_tid),
                     "r"(thread_pointer), [worker] "b"(worker)
                   : "rcx", "r11", "memory");
  return result;
}

static void wait_for(struct worker *worker) {
  u32 running;
  while ((running = __atomic_load_n(&worker->running, __ATOMIC_ACQUIRE)) != 0)
    syscall6(SYS_futex, (i64)&worker->running, 0, running, 0, 0, 0);
}

/* The iterations are all threads' together, so that the checksum is the same for any number of them. */
static u64 run(u64 iterations, u32 threads) {
  if (threads > MOST_THREADS) fail("too many threads");
  u64 share = iterations / threads & ~3ul;
  for (u32 i = 0; i < threads; i++) {
    workers[i].index = i;
    workers[i].iterations = share;
  }
  workers[0].iterations += iterations - share * threads;
  for (u32 i = 1; i < threads; i++)
    if (start_thread(&workers[i]) < 0) fail("clone");
  work(&workers[0]);
  for (u32 i = 1; i < threads; i++) wait_for(&workers[i]);
  u64 alone = 0;
  for (u32 i = 0; i < threads; i++) alone += workers[i].alone;
  return fold(fold(fold(0, shared.added), shared.exchanged), alone);
}

int program(int argc, char **argv) { return measure(argc, argv, (struct work){0, run}); }
