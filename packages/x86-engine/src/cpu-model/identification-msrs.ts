/** MSRs that say what the processor is, and that features are not there (Intel SDM Vol. 4 §2.1 "Architectural MSRs"). */

import { absent, constant, type Msr, stored } from './msr.ts';
import * as index from './msr-index.ts';

/**
 * IA32_ARCH_CAPABILITIES: which attacks the processor has no weakness for, since it executes nothing speculatively. Bits
 * that would promise something else to use, such as IBRS_ALL, are clear. Bits from 20 on are of later editions (Intel,
 * "CPUID Enumeration and Architectural MSRs").
 */
const ARCH_CAPABILITIES = [
  0, // RDCL_NO: Meltdown, L1TF
  3, // SKIP_L1DFL_VMENTRY
  4, // SSB_NO
  5, // MDS_NO
  6, // IF_PSCHANGE_MC_NO
  8, // TAA_NO
  13, // SBDR_SSDP_NO
  14, // FBSDP_NO
  15, // PSDP_NO
  20, // BHI_NO
  24, // PBRSB_NO
  26, // GDS_NO
  27, // RFDS_NO
  62, // ITS_NO
].reduce((bits, bit) => bits | (1n << BigInt(bit)), 0n);

/** In its upper half; the update that a BIOS would have loaded (Vol. 3A §9.11.7.1 "Determining the Signature"). */
const MICROCODE_REVISION = 1n << 32n;

/** Locked, and nothing enabled. */
const FEATURE_CONTROL_LOCKED = 1n;

const KHZ_OF_RATIO = 100_000;

export function identificationMsrs(tscKhz: number): [number, Msr][] {
  // MSR_PLATFORM_INFO[15:8]: the counter's frequency in units of 100 MHz.
  const ratio = Math.min(Math.max(Math.round(tscKhz / KHZ_OF_RATIO), 1), 255);
  return [
    [index.IA32_P5_MC_ADDR, constant(0n)],
    [index.IA32_P5_MC_TYPE, constant(0n)],
    [index.IA32_PLATFORM_ID, constant(0n)],
    [index.EBL_CR_POWERON, constant(0n)],
    [index.IA32_FEATURE_CONTROL, constant(FEATURE_CONTROL_LOCKED)],
    [index.IA32_BIOS_SIGN_ID, microcodeRevision],
    [index.MSR_PLATFORM_INFO, constant(BigInt(ratio) << 8n)],
    [index.IA32_ARCH_CAPABILITIES, constant(ARCH_CAPABILITIES)],
    // No banks (Vol. 3B §15.3.1 "Machine-Check Global Control MSRs"); software may only clear the status.
    [index.IA32_MCG_CAP, constant(0n)],
    [index.IA32_MCG_STATUS, stored(0n, (value) => value === 0n)],
  ];
}

/** Software writes 0, executes CPUID, and finds the revision again. */
const microcodeRevision: Msr = {
  read: () => MICROCODE_REVISION,
  write: () => true,
  restore: () => true,
};

/** Of features that CPUID does not show, but that KVM saves. */
export const UNUSED_FEATURE_MSRS: [number, Msr][] = [
  [index.IA32_SPEC_CTRL, absent(0n)],
  [index.IA32_XSS, absent(0n)],
  [index.MSR_KVM_ASYNC_PF_EN, absent(0n)],
  [index.MSR_KVM_ASYNC_PF_INT, absent(0n)],
  [index.MSR_KVM_STEAL_TIME, absent(0n)],
  [index.MSR_KVM_PV_EOI_EN, absent(0n)],
  // 1 after reset: the host may poll before it lets a halted vCPU sleep.
  [index.MSR_KVM_POLL_CONTROL, absent(0n, 1n)],
];
