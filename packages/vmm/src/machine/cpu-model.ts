/**
 * The processor that guests see: what the accelerator can show, with each vCPU's own identity and topology filled in.
 * One socket, one core a vCPU, no threads (Intel SDM Vol. 2A "CPUID—CPU Identification"; AMD APM Vol. 3 Appendix E).
 */
import type { CpuidEntry, MsrEntry } from '@vireo/hypervisor';

// Leaf 1.
const ECX_X2APIC = 1 << 21;
const ECX_TSC_DEADLINE = 1 << 24;
const ECX_HYPERVISOR = 1 << 31;
const EDX_HTT = 1 << 28;

/** Leaf 8000_0001H of AMD: the logical processors that HTT tells of are cores, not threads. */
const ECX_CMP_LEGACY = 1 << 1;

/** Leaf 4 and AMD's 8000_001DH: EAX[4:0] of the entry behind the last cache. */
const NO_MORE_CACHES = 0;

/** Leaf 0BH and 1FH, ECX[15:8]: what a level is made of. */
const LEVEL_SMT = 1;
const LEVEL_CORE = 2;

/** Replaced by leaf 0BH of our own, or left out: 1FH, and AMD's Extended CPU Topology. */
const HOST_TOPOLOGY_LEAVES = [0xb, 0x1f, 0x80000026];

export interface CpuModelOptions {
  readonly supported: readonly CpuidEntry[];
  readonly cpus: number;
  readonly tscDeadlineTimer: boolean;
}

/** The CPUID leaves of one vCPU, whose APIC id is its number. */
export function cpuidFor(id: number, { supported, cpus, tscDeadlineTimer }: CpuModelOptions): CpuidEntry[] {
  const topology = topologyLeaves(id, cpus);
  const kept = supported.filter(({ leaf }) => !HOST_TOPOLOGY_LEAVES.includes(leaf));
  const hasTopology = supported.some(({ leaf }) => leaf === 0xb);
  const amd = isAmd(supported);
  const own = kept.map((entry) => {
    const identified = withIdentity({ ...entry }, id, cpus, tscDeadlineTimer);
    return unsigned(amd ? withAmdTopology(identified, id, cpus) : identified);
  });
  return hasTopology ? [...own, ...topology] : own;
}

function withIdentity(entry: CpuidEntry, id: number, cpus: number, tscDeadlineTimer: boolean): CpuidEntry {
  switch (entry.leaf) {
    case 1:
      // EBX: initial APIC id, logical processors in the package.
      entry.ebx = ((entry.ebx & 0xffff) | (Math.min(cpus, 255) << 16) | ((id & 0xff) << 24)) >>> 0;
      entry.ecx |= ECX_X2APIC | ECX_HYPERVISOR;
      if (tscDeadlineTimer) entry.ecx |= ECX_TSC_DEADLINE;
      if (cpus > 1) entry.edx |= EDX_HTT;
      else entry.edx &= ~EDX_HTT;
      break;
    case 4:
      // EAX[31:26]: cores in the package, less one.
      if ((entry.eax & 0x1f) !== NO_MORE_CACHES)
        entry.eax = withSharing(entry.eax & 0x3ffffff, cpus) | (Math.min(cpus - 1, 63) << 26);
      break;
  }
  return entry;
}

/** The leaves in which AMD tells what Intel has in leaf 4 and 0BH; elsewhere they are reserved. */
function withAmdTopology(entry: CpuidEntry, id: number, cpus: number): CpuidEntry {
  switch (entry.leaf) {
    case 0x80000001:
      if (cpus > 1) entry.ecx |= ECX_CMP_LEGACY;
      else entry.ecx &= ~ECX_CMP_LEGACY;
      break;
    case 0x80000008:
      // ECX: cores, less one, and the width of the core id within the APIC id.
      entry.ecx = cpus - 1 + (coreIdBits(cpus) << 12);
      break;
    case 0x8000001d:
      if ((entry.eax & 0x1f) !== NO_MORE_CACHES) entry.eax = withSharing(entry.eax, cpus);
      break;
    case 0x8000001e:
      // Extended APIC id, core id, node id.
      entry.eax = id;
      entry.ebx = id & 0xff;
      entry.ecx = 0;
      break;
  }
  return entry;
}

/** EAX[25:14]: logical processors that share the cache, less one: all of them the level 3, none the others. */
function withSharing(eax: number, cpus: number): number {
  const own = eax & ~0x3ffc000;
  return ((eax >> 5) & 7) === 3 ? own | ((cpus - 1) << 14) : own;
}

/** AMD, and Hygon, whose processors are AMD's design. */
function isAmd(supported: readonly CpuidEntry[]): boolean {
  const vendor = supported.find(({ leaf }) => leaf === 0);
  if (vendor === undefined) return false;
  const { ebx, edx, ecx } = vendor;
  const name = new TextDecoder('latin1').decode(Uint32Array.of(ebx, edx, ecx));
  return name === 'AuthenticAMD' || name === 'HygonGenuine';
}

/** Leaf 0BH: a thread level of one, a core level of all (Intel SDM Vol. 2A, "Extended Topology Enumeration Leaf"). */
function topologyLeaves(id: number, cpus: number): CpuidEntry[] {
  const level = (subleaf: number, type: number, shift: number, processors: number): CpuidEntry => ({
    leaf: 0xb,
    subleaf,
    eax: shift,
    ebx: processors,
    ecx: subleaf | (type << 8),
    edx: id,
  });
  return [level(0, LEVEL_SMT, 0, 1), level(1, LEVEL_CORE, coreIdBits(cpus), cpus), level(2, 0, 0, 0)];
}

/** How many bits of the APIC id count cores. */
function coreIdBits(cpus: number): number {
  return Math.ceil(Math.log2(cpus));
}

function unsigned(entry: CpuidEntry): CpuidEntry {
  return { ...entry, eax: entry.eax >>> 0, ebx: entry.ebx >>> 0, ecx: entry.ecx >>> 0, edx: entry.edx >>> 0 };
}

const IA32_MISC_ENABLE = 0x1a0;
const IA32_MTRR_DEF_TYPE = 0x2ff;

/** The width of guest physical addresses: CPUID leaf 8000_0008H, EAX[7:0], and 36 bits where there is none. */
export function physicalAddressBits(supported: readonly CpuidEntry[]): number {
  const leaf = supported.find((entry) => entry.leaf === 0x80000008);
  return (leaf && leaf.eax & 0xff) || 36;
}

/**
 * The bits that firmware would have set: fast string operations on, and memory write-back by default, since Linux leaves the
 * PAT off when MTRRs are off (Intel SDM Vol. 4 §2.1, Vol. 3A §11.11.2.1 "IA32_MTRR_DEF_TYPE MSR").
 */
export const FIRMWARE_MSRS: readonly MsrEntry[] = [
  { index: IA32_MISC_ENABLE, value: 1n },
  { index: IA32_MTRR_DEF_TYPE, value: 0x806n },
];
