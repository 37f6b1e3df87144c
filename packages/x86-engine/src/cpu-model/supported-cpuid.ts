/**
 * The CPUID leaves that the engine can show (Intel SDM Vol. 2A "CPUID—CPU Identification"): a processor of x86-64-v2 and
 * most of what came later in general registers, under KVM's signature.
 *
 * It is GenuineIntel, family 6, model 36H: an Atom of 2011 ("Saltwell"), which executes in order. That is what an
 * interpreter is, and what operating systems conclude from it costs nothing here:
 *
 * - Linux lists that model as without speculation (`cpu_vuln_whitelist` in arch/x86/kernel/cpu/common.c, with the
 *   ITLB flaw's absence beside it), and looks no further: no page-table isolation, no retpolines or return thunks, no
 *   fences in SWAPGS' way, no buffers to clear, and none for attacks that are published later. For nearly every other it
 *   presumes Spectre v1 and v2. An AMD or Hygon family gets retpolines, or automatic IBRS, which we do not have; a
 *   later Intel model needs IA32_ARCH_CAPABILITIES with a bit for each attack, and SPEC_CTRL with IBRS_ALL.
 * - Systems that ask for IA32_ARCH_CAPABILITIES alone find RDCL_NO and its successors there (identification-msrs.ts).
 * - Linux sets REP_GOOD for Intel's family 6, and then copies pages by REP MOVS; not for others of "no speculation", such
 *   as family 5, or family 4 of any vendor.
 * - Other models of that kind have more attached: Linux looks at 1CH's microcode for an erratum, glibc takes BSF for slow
 *   on 1CH and 26H, and 27H and 35H find their clock's frequency in registers of a system on chip.
 * - A hypervisor's guest loads no microcode, and MSR 8BH has a revision.
 *
 * What it costs: glibc copies with SSSE3 code, of aligned loads and PALIGNR, where it has neither AVX nor a model that it
 * knows to be fast with unaligned data, such as Nehalem; only there does it use REP MOVS for long copies. A guest can ask
 * for it by GLIBC_TUNABLES=glibc.cpu.hwcaps=Fast_Unaligned_Copy.
 */
import type { CpuidEntry } from '@vireo/hypervisor';
import { type CpuidFeature, featureLeaves } from './cpuid-features.ts';
import { NATIVE_TSC_KHZ } from './tsc.ts';

export interface CpuidOptions {
  readonly physicalAddressBits?: number;
  readonly tscKhz?: number;
  /** Features that are left out. */
  readonly without?: readonly CpuidFeature[];
}

const PHYSICAL_ADDRESS_BITS = 40;
const LINEAR_ADDRESS_BITS = 48;

const BRAND = 'Vireo x86-64 engine';
/** Family 6, model 36H, stepping 1. */
const SIGNATURE = 0x00030661;

const HIGHEST_BASIC_LEAF = 0x16;
const HIGHEST_HYPERVISOR_LEAF = 0x40000010;
const HIGHEST_EXTENDED_LEAF = 0x80000008;

const CACHE_LINE_BYTES = 64;
/** Leaf 2: one byte that says how often to ask, one that refers to leaf 4. */
const CACHES_IN_LEAF_4 = 0xff01;

/** The local APIC's timer counts nanoseconds, and so does the crystal that leaf 15H tells of. */
const CRYSTAL_HZ = 1_000_000_000;
const CRYSTAL_KHZ = CRYSTAL_HZ / 1000;
const BUS_MHZ = 100;

/** XSAVE of x87 and SSE state: legacy region and header (Vol. 1 §13.4 "XSAVE Area"). */
const XCR0_X87_SSE = 3;
const XSAVE_BYTES = 512 + 64;

/** Leaves whose registers an operating system asks for, in the order of their numbers; all others are zero. */
export function supportedCpuid(options: CpuidOptions = {}): CpuidEntry[] {
  const { physicalAddressBits = PHYSICAL_ADDRESS_BITS, tscKhz = NATIVE_TSC_KHZ, without = [] } = options;
  const features = featureLeaves(without.includes('XSAVE') ? [...without, 'XSAVEOPT', 'XSAVEC'] : without);
  const leaf1 = features.find(({ leaf }) => leaf === 1)!;
  leaf1.eax = SIGNATURE;
  // CLFLUSH's line in 8 bytes, and one logical processor.
  leaf1.ebx = ((CACHE_LINE_BYTES / 8) << 8) | (1 << 16);
  const leaf7 = features.find(({ leaf, subleaf }) => leaf === 7 && subleaf === 0)!;
  leaf7.eax = 1; // its last subleaf
  const leafD = features.find(({ leaf }) => leaf === 0xd)!;
  // XSAVEC's area, which is the same size.
  if (leafD.eax !== 0) leafD.ebx = XSAVE_BYTES;
  return [
    ...features,
    vendorLeaf(0, HIGHEST_BASIC_LEAF, 'GenuineIntel', ['ebx', 'edx', 'ecx']),
    entry(2, null, { eax: CACHES_IN_LEAF_4 }),
    ...cacheLeaves(),
    ...topologyLeaves(),
    ...(without.includes('XSAVE') ? [] : [xsaveLeaf()]),
    ...frequencyLeaves(tscKhz),
    vendorLeaf(0x40000000, HIGHEST_HYPERVISOR_LEAF, 'KVMKVMKVM\0\0\0', ['ebx', 'ecx', 'edx']),
    entry(0x80000000, null, { eax: HIGHEST_EXTENDED_LEAF }),
    ...brandLeaves(),
    entry(0x80000006, null, { ecx: (L2_KIB << 16) | (L2_16_WAYS << 12) | CACHE_LINE_BYTES }),
    entry(0x80000008, null, { eax: physicalAddressBits | (LINEAR_ADDRESS_BITS << 8) }),
  ].sort((a, b) => a.leaf - b.leaf || (a.subleaf ?? 0) - (b.subleaf ?? 0));
}

type Registers = Partial<Pick<CpuidEntry, 'eax' | 'ebx' | 'ecx' | 'edx'>>;

function entry(leaf: number, subleaf: number | null, registers: Registers): CpuidEntry {
  return { leaf, subleaf, eax: 0, ebx: 0, ecx: 0, edx: 0, ...registers };
}

/** Four characters, the first in the lowest byte. */
function characters(text: string, at: number): number {
  const bytes = [0, 1, 2, 3].map((i) => text.charCodeAt(at + i) || 0);
  return bytes.reduce((word, byte, i) => word | (byte << (8 * i)), 0) >>> 0;
}

type NameOrder = readonly ('ebx' | 'ecx' | 'edx')[];

function vendorLeaf(leaf: number, highest: number, name: string, order: NameOrder): CpuidEntry {
  const words = order.map((register, i) => [register, characters(name, 4 * i)]);
  return entry(leaf, null, { eax: highest, ...Object.fromEntries(words) });
}

function brandLeaves(): CpuidEntry[] {
  return [0, 1, 2].map((i) => {
    const [eax, ebx, ecx, edx] = [0, 4, 8, 12].map((at) => characters(BRAND, 16 * i + at)) as [
      number,
      number,
      number,
      number,
    ];
    return entry(0x80000002 + i, null, { eax, ebx, ecx, edx });
  });
}

const DATA = 1;
const INSTRUCTION = 2;
const UNIFIED = 3;

interface Cache {
  readonly type: number;
  readonly level: number;
  readonly ways: number;
  readonly kib: number;
}

const L2_KIB = 1024;
/** Leaf 8000_0006H's code for 16 ways. */
const L2_16_WAYS = 8;

/** There are none. Guests lay data out by them, and bypass them beyond a share of the last, which costs us more: it is large. */
const CACHES: readonly Cache[] = [
  { type: DATA, level: 1, ways: 8, kib: 32 },
  { type: INSTRUCTION, level: 1, ways: 8, kib: 32 },
  { type: UNIFIED, level: 2, ways: 16, kib: L2_KIB },
  { type: UNIFIED, level: 3, ways: 16, kib: 32 * 1024 },
];

function cacheLeaves(): CpuidEntry[] {
  const caches = CACHES.map(({ type, level, ways, kib }, subleaf) => {
    const selfInitialising = 1 << 8;
    return entry(4, subleaf, {
      eax: type | (level << 5) | selfInitialising,
      ebx: ((ways - 1) * 2 ** 22 + (CACHE_LINE_BYTES - 1)) >>> 0,
      ecx: (kib * 1024) / (ways * CACHE_LINE_BYTES) - 1,
    });
  });
  return [...caches, entry(4, CACHES.length, {})];
}

/** One thread of one core, until the machine says how many there are. */
function topologyLeaves(): CpuidEntry[] {
  const [threads, cores] = [1, 2];
  return [
    entry(0xb, 0, { ebx: 1, ecx: 0 | (threads << 8) }),
    entry(0xb, 1, { ebx: 1, ecx: 1 | (cores << 8) }),
    entry(0xb, 2, { ecx: 2 }),
  ];
}

/** Subleaf 1 is of what else there is of XSAVE: no XSAVES. */
function xsaveLeaf(): CpuidEntry {
  return entry(0xd, 0, { eax: XCR0_X87_SSE, ebx: XSAVE_BYTES, ecx: XSAVE_BYTES });
}

/**
 * The counter's frequency as a fraction of the crystal's, the processor's in MHz, and both clocks in kHz where VMware's
 * guests, and by now others, look for them.
 */
function frequencyLeaves(tscKhz: number): CpuidEntry[] {
  const divisor = greatestCommonDivisor(tscKhz, CRYSTAL_KHZ);
  const mhz = Math.min(Math.round(tscKhz / 1000), 0xffff);
  return [
    entry(0x15, null, { eax: CRYSTAL_KHZ / divisor, ebx: tscKhz / divisor, ecx: CRYSTAL_HZ }),
    entry(0x16, null, { eax: mhz, ebx: mhz, ecx: BUS_MHZ }),
    entry(0x40000010, null, { eax: tscKhz, ebx: CRYSTAL_KHZ }),
  ];
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
