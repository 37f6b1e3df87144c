/*
 * The measure for exits: the plainest monitor that C can be, without a library and without a second thread.
 *
 *     exits                      prints what it was compiled with
 *     exits FILE ORIGIN MMIO
 *
 * Loads FILE at guest physical address ORIGIN. Then, for each line `ENTRY COUNT PORT` of standard input, runs the
 * guest from ENTRY in flat 32-bit protected mode until it halts, with ECX = COUNT, EDX = PORT and EBX = MMIO, and
 * prints how many nanoseconds that took. All numbers are decimal.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { RAM_BYTES = 0x80000, ANSWER = 0x5a };

/* What a device would keep: stores the compiler may not leave out. */
static volatile unsigned long long device;

static void *require(void *pointer, const char *what) {
  if (pointer == MAP_FAILED || pointer == NULL) {
    perror(what);
    exit(1);
  }
  return pointer;
}

static int check(int result, const char *what) {
  if (result < 0) {
    perror(what);
    exit(1);
  }
  return result;
}

static int make_vm(int kvm, const char *file, unsigned long origin) {
  void *ram = require(mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "mmap");
  int code = check(open(file, O_RDONLY), file);
  check(read(code, (char *)ram + origin, RAM_BYTES - origin), file);
  close(code);
  int vm = check(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
  check(ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &(__u64){0xfffbc000}), "KVM_SET_IDENTITY_MAP_ADDR");
  check(ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000), "KVM_SET_TSS_ADDR");
  struct kvm_userspace_memory_region region = {.memory_size = RAM_BYTES, .userspace_addr = (unsigned long)ram};
  check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
  return vm;
}

static void set_cpuid(int kvm, int vcpu) {
  enum { LEAVES = 256 };
  struct kvm_cpuid2 *cpuid = require(calloc(1, sizeof *cpuid + LEAVES * sizeof cpuid->entries[0]), "calloc");
  cpuid->nent = LEAVES;
  check(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid), "KVM_GET_SUPPORTED_CPUID");
  check(ioctl(vcpu, KVM_SET_CPUID2, cpuid), "KVM_SET_CPUID2");
  free(cpuid);
}

static void set_protected_mode(int vcpu) {
  struct kvm_sregs sregs;
  check(ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
  struct kvm_segment data = {.limit = 0xffffffff, .selector = 0x10, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
  sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
  sregs.cs = data;
  sregs.cs.selector = 8;
  sregs.cs.type = 11;
  sregs.cr0 = 0x31; /* NE, ET, PE */
  check(ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
}

/* The exit switch, and a device that does the least. Returns 0 when the guest halts. */
static int serve(struct kvm_run *run) {
  unsigned char *data = (unsigned char *)run + run->io.data_offset;
  switch (run->exit_reason) {
  case KVM_EXIT_IO:
    if (run->io.direction == KVM_EXIT_IO_OUT) device = *data;
    else *data = ANSWER;
    return 1;
  case KVM_EXIT_MMIO:
    if (run->mmio.is_write) device = *(unsigned *)run->mmio.data;
    else *(unsigned *)run->mmio.data = ANSWER;
    return 1;
  case KVM_EXIT_HLT:
    return 0;
  default:
    fprintf(stderr, "exits: unexpected exit %u\n", run->exit_reason);
    exit(1);
  }
}

static long long nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    puts(__VERSION__);
    return 0;
  }
  int kvm = check(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
  int vm = make_vm(kvm, argv[1], strtoul(argv[2], NULL, 10));
  int vcpu = check(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
  int run_bytes = check(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
  struct kvm_run *run =
      require(mmap(NULL, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0), "mmap of the vCPU");
  set_cpuid(kvm, vcpu);
  unsigned long long entry, count, port;
  while (scanf("%llu %llu %llu", &entry, &count, &port) == 3) {
    set_protected_mode(vcpu);
    struct kvm_regs regs = {
        .rip = entry, .rcx = count, .rdx = port, .rbx = strtoul(argv[3], NULL, 10), .rflags = 2};
    check(ioctl(vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
    long long start = nanoseconds();
    do check(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
    while (serve(run));
    printf("%lld\n", nanoseconds() - start);
    fflush(stdout);
  }
  return 0;
}
