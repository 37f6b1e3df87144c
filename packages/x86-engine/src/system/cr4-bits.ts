/** CR4's bits, and which of them a processor has (Intel SDM Vol. 3A §2.5 "Control Registers"). */
import type { CpuidResult, SystemProcessor } from './system-processor.ts';

export const CR4 = {
  VME: 1n << 0n,
  PVI: 1n << 1n,
  TSD: 1n << 2n,
  DE: 1n << 3n,
  PSE: 1n << 4n,
  PAE: 1n << 5n,
  MCE: 1n << 6n,
  PGE: 1n << 7n,
  PCE: 1n << 8n,
  OSFXSR: 1n << 9n,
  OSXMMEXCPT: 1n << 10n,
  UMIP: 1n << 11n,
  FSGSBASE: 1n << 16n,
  PCIDE: 1n << 17n,
  OSXSAVE: 1n << 18n,
  SMEP: 1n << 20n,
  SMAP: 1n << 21n,
} as const;

/** Each bit with the feature flag it is reserved without (Intel SDM Vol. 2A "CPUID—CPU Identification"). */
const FEATURES: readonly (readonly [cr4: bigint, leaf: 1 | 7, register: keyof CpuidResult, bit: number])[] = [
  [CR4.VME | CR4.PVI, 1, 'edx', 1],
  [CR4.TSD, 1, 'edx', 4],
  [CR4.DE, 1, 'edx', 2],
  [CR4.PSE, 1, 'edx', 3],
  [CR4.PAE, 1, 'edx', 6],
  [CR4.MCE, 1, 'edx', 7],
  [CR4.PGE, 1, 'edx', 13],
  [CR4.OSFXSR, 1, 'edx', 24],
  [CR4.OSXMMEXCPT, 1, 'edx', 25],
  [CR4.UMIP, 7, 'ecx', 2],
  [CR4.FSGSBASE, 7, 'ebx', 0],
  [CR4.PCIDE, 1, 'ecx', 17],
  [CR4.OSXSAVE, 1, 'ecx', 26],
  [CR4.SMEP, 7, 'ebx', 7],
  [CR4.SMAP, 7, 'ebx', 20],
];

/** The bits that are not reserved. VMX, 5-level paging, protection keys and CET are not there, whatever CPUID says. */
export function supportedCr4(processor: SystemProcessor): bigint {
  const leaves = { 1: processor.cpuid(1, 0), 7: processor.cpuid(7, 0) };
  let supported: bigint = CR4.PCE;
  for (const [bits, leaf, register, bit] of FEATURES)
    if (((leaves[leaf][register] >>> bit) & 1) === 1) supported |= bits;
  return supported;
}
