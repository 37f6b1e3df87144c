/** The processor that a guest may see which is to run on either of two hosts (Intel SDM Vol. 2A "CPUID—CPU Identification"). */
import type { CpuidEntry } from '../vcpu-state.ts';

const REGISTERS = ['eax', 'ebx', 'ecx', 'edx'] as const;

/** Registers in which every bit promises something. */
const FEATURES: Readonly<Record<number, readonly (typeof REGISTERS)[number][]>> = {
  1: ['ecx', 'edx'],
  6: ['eax'],
  7: ['ebx', 'ecx', 'edx'],
  13: ['eax'],
  1073741825: ['eax'],
  2147483649: ['ecx', 'edx'],
  2147483655: ['edx'],
  2147483656: ['ebx'],
};

const EXTENDED_LEAF = 7;
const XSAVE_LEAF = 0xd;
const ADDRESS_SIZES_LEAF = 0x80000008;

/** What the first host shows, without the leaves and the features that the second has not. */
export function sharedCpuid(first: readonly CpuidEntry[], second: readonly CpuidEntry[]): CpuidEntry[] {
  return first.flatMap((entry) => {
    const other = second.find(({ leaf, subleaf }) => leaf === entry.leaf && subleaf === entry.subleaf);
    return other === undefined ? [] : [intersection(entry, other)];
  });
}

function intersection(entry: CpuidEntry, other: CpuidEntry): CpuidEntry {
  const shared = { ...entry };
  for (const register of FEATURES[entry.leaf] ?? [])
    shared[register] = (entry[register] & other[register]) >>> 0;
  // In the first subleaf it is the number of the last.
  if (entry.leaf === EXTENDED_LEAF && entry.subleaf !== 0) shared.eax = (entry.eax & other.eax) >>> 0;
  // The XSAVE area with everything in it: what is left is at the start of both.
  if (entry.leaf === XSAVE_LEAF && entry.subleaf === 0)
    for (const register of ['ebx', 'ecx'] as const)
      shared[register] = Math.min(entry[register], other[register]);
  if (entry.leaf === ADDRESS_SIZES_LEAF)
    shared.eax = Math.min(entry.eax & 0xff, other.eax & 0xff) | (entry.eax & 0xff00);
  return shared;
}
