/**
 * The feature bits that the engine shows (Intel SDM Vol. 2A "CPUID—CPU Identification", Table 3-8 "Information Returned by
 * CPUID Instruction"). What is not here is not shown: AVX and all behind it, MONITOR, virtual-8086 mode's extensions, VMX,
 * performance counters, and everything by which an operating system would work around speculation.
 */
import type { CpuidEntry } from '@vireo/hypervisor';

type Bits = Readonly<Record<string, number>>;

interface Word {
  readonly leaf: number;
  readonly subleaf: number | null;
  readonly register: 'eax' | 'ebx' | 'ecx' | 'edx';
  readonly bits: Bits;
}

const BASIC_ECX = {
  SSE3: 0,
  PCLMULQDQ: 1,
  SSSE3: 9,
  CX16: 13,
  PCID: 17,
  'SSE4.1': 19,
  'SSE4.2': 20,
  X2APIC: 21,
  MOVBE: 22,
  POPCNT: 23,
  'TSC-DEADLINE': 24,
  AES: 25,
  XSAVE: 26,
  RDRAND: 30,
  HYPERVISOR: 31,
} as const;

const BASIC_EDX = {
  FPU: 0,
  DE: 2,
  PSE: 3,
  TSC: 4,
  MSR: 5,
  PAE: 6,
  MCE: 7,
  CX8: 8,
  APIC: 9,
  SEP: 11,
  MTRR: 12,
  PGE: 13,
  MCA: 14,
  CMOV: 15,
  PAT: 16,
  'PSE-36': 17,
  CLFSH: 19,
  MMX: 23,
  FXSR: 24,
  SSE: 25,
  SSE2: 26,
  /** Self snoop: memory is coherent whatever its type, and Linux need not flush caches to change one. */
  SS: 27,
} as const;

const POWER_EAX = {
  /** The local APIC's timer always runs. */
  ARAT: 2,
} as const;

const EXTENDED_EBX = {
  FSGSBASE: 0,
  TSC_ADJUST: 1,
  BMI1: 3,
  /** The x87's data pointer and, by ZERO_FCS_FDS, its selectors are not kept. */
  FDP_EXCPTN_ONLY: 6,
  SMEP: 7,
  BMI2: 8,
  ERMS: 9,
  INVPCID: 10,
  ZERO_FCS_FDS: 13,
  RDSEED: 18,
  ADX: 19,
  SMAP: 20,
  CLFLUSHOPT: 23,
  CLWB: 24,
  SHA: 29,
} as const;

const EXTENDED_ECX = { UMIP: 2 } as const;

/** One REP MOVS or REP STOS is better than a loop of any length: each instruction costs, hardly what it moves. */
const EXTENDED_EDX = { FSRM: 4, ARCH_CAPABILITIES: 29 } as const;
const EXTENDED_1_EAX = { FZLRM: 10, FSRS: 11 } as const;

const XSAVE_EAX = { XSAVEOPT: 0, XSAVEC: 1 } as const;

const AMD_ECX = { LAHF64: 0, LZCNT: 5, PREFETCHW: 8 } as const;
const AMD_EDX = { SYSCALL: 11, NX: 20, PAGE1GB: 26, RDTSCP: 27, LM: 29 } as const;

const POWER_EDX = { INVARIANT_TSC: 8 } as const;

/** Linux, `Documentation/virt/kvm/x86/cpuid.rst`: kvmclock by its old and its new MSRs, no delay after port I/O. */
const KVM_EAX = {
  KVM_CLOCKSOURCE: 0,
  KVM_NOP_IO_DELAY: 1,
  KVM_CLOCKSOURCE2: 3,
  KVM_CLOCKSOURCE_STABLE: 24,
} as const;

const WORDS = [
  { leaf: 1, subleaf: null, register: 'ecx', bits: BASIC_ECX },
  { leaf: 1, subleaf: null, register: 'edx', bits: BASIC_EDX },
  { leaf: 6, subleaf: null, register: 'eax', bits: POWER_EAX },
  { leaf: 7, subleaf: 0, register: 'ebx', bits: EXTENDED_EBX },
  { leaf: 7, subleaf: 0, register: 'ecx', bits: EXTENDED_ECX },
  { leaf: 7, subleaf: 0, register: 'edx', bits: EXTENDED_EDX },
  { leaf: 7, subleaf: 1, register: 'eax', bits: EXTENDED_1_EAX },
  { leaf: 0xd, subleaf: 1, register: 'eax', bits: XSAVE_EAX },
  { leaf: 0x40000001, subleaf: null, register: 'eax', bits: KVM_EAX },
  { leaf: 0x80000001, subleaf: null, register: 'ecx', bits: AMD_ECX },
  { leaf: 0x80000001, subleaf: null, register: 'edx', bits: AMD_EDX },
  { leaf: 0x80000007, subleaf: null, register: 'edx', bits: POWER_EDX },
] as const satisfies readonly Word[];

type NamesOf<T> = T extends Bits ? keyof T : never;

export type CpuidFeature = NamesOf<(typeof WORDS)[number]['bits']>;

/** Leaves with features and, so far, nothing else. */
export function featureLeaves(without: readonly CpuidFeature[]): CpuidEntry[] {
  const hidden = new Set<string>(without);
  const entries: CpuidEntry[] = [];
  for (const { leaf, subleaf, register, bits } of WORDS) {
    let entry = entries.find((it) => it.leaf === leaf && it.subleaf === subleaf);
    if (entry === undefined) {
      entry = { leaf, subleaf, eax: 0, ebx: 0, ecx: 0, edx: 0 };
      entries.push(entry);
    }
    for (const [name, bit] of Object.entries(bits))
      if (!hidden.has(name)) entry[register] = (entry[register] | (1 << bit)) >>> 0;
  }
  return entries;
}
