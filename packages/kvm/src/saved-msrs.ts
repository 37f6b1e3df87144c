/**
 * The MSRs that are part of a vCPU's saved state: architectural ones (Intel SDM Vol. 4 §2.1 "Architectural MSRs"; AMD
 * APM Vol. 2 Appendix A) and KVM's paravirtual ones (Linux, "KVM-specific MSRs"). Restored in this order: the TSC
 * before what is derived from it, the deadline last.
 */
const MTRRS = [0x2ff, ...range(0x200, 16), 0x250, 0x258, 0x259, ...range(0x268, 8)];

export const SAVED_MSRS: readonly number[] = [
  0x10, // TIME_STAMP_COUNTER
  0x3b, // TSC_ADJUST
  0xc0000103, // TSC_AUX
  0x174, // SYSENTER_CS
  0x175, // SYSENTER_ESP
  0x176, // SYSENTER_EIP
  0xc0000081, // STAR
  0xc0000082, // LSTAR
  0xc0000083, // CSTAR
  0xc0000084, // FMASK
  0xc0000102, // KERNEL_GS_BASE
  0x277, // PAT
  0x1a0, // MISC_ENABLE
  0x1d9, // DEBUGCTL
  0x48, // SPEC_CTRL
  0xda0, // XSS
  ...MTRRS,
  0x4b564d00, // KVM_WALL_CLOCK_NEW
  0x4b564d01, // KVM_SYSTEM_TIME_NEW
  0x4b564d02, // KVM_ASYNC_PF_EN
  0x4b564d03, // KVM_STEAL_TIME
  0x4b564d04, // KVM_PV_EOI_EN
  0x4b564d05, // KVM_POLL_CONTROL
  0x4b564d06, // KVM_ASYNC_PF_INT
  0x6e0, // TSC_DEADLINE
];

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}
