/**
 * Memory types by physical address and by page: MTRRs and PAT (Intel SDM Vol. 3A §11.11 "Memory Type Range Registers",
 * §11.12 "Page Attribute Table"). They are kept and checked; memory is coherent whatever they say, as write-back memory is.
 */

import { constant, hasOnly, type Msr, stored } from './msr.ts';
import * as index from './msr-index.ts';

/** §11.3 "Methods of Caching Available": UC, WC, WT, WP, WB. */
const MTRR_TYPES = [0n, 1n, 4n, 5n, 6n];
/** §11.12.2 "IA32_PAT MSR": UC- besides. */
const PAT_TYPES = [...MTRR_TYPES, 7n];

/** §11.11.1: so many pairs of variable ranges; fixed ranges and WC are there. */
const VARIABLE_RANGES = 8;
const MTRRCAP = BigInt(VARIABLE_RANGES) | (1n << 8n) | (1n << 10n);

/** §11.11.2.1 "IA32_MTRR_DEF_TYPE MSR": the type, FE, E. */
const DEF_TYPE_BITS = 0xffn | (1n << 10n) | (1n << 11n);
/** §11.11.2.3 "Variable Range MTRRs": the type in a base, V in a mask. */
const BASE_LOW_BITS = 0xffn;
const MASK_LOW_BITS = 1n << 11n;

/** §11.12.4 "Programming the PAT": WB, WT, UC-, UC, twice. */
const PAT_AT_RESET = 0x0007040600070406n;

/** §11.11.2.2 "Fixed Range MTRRs": of 64, 16 and 4 KiB. */
const FIXED_RANGES = [0x250, 0x258, 0x259, ...Array.from({ length: 8 }, (_, i) => 0x268 + i)];

/** In the order in which they are saved. */
export const MTRR_INDICES: readonly number[] = [
  index.IA32_MTRR_DEF_TYPE,
  ...Array.from({ length: 2 * VARIABLE_RANGES }, (_, i) => index.IA32_MTRR_PHYSBASE0 + i),
  ...FIXED_RANGES,
];

export function memoryTypeMsrs(physicalAddressBits: number): [number, Msr][] {
  const address = (1n << BigInt(physicalAddressBits)) - 0x1000n;
  const isBase = withType(MTRR_TYPES, hasOnly(address | BASE_LOW_BITS));
  const isMask = hasOnly(address | MASK_LOW_BITS);
  const variable = Array.from({ length: VARIABLE_RANGES }, (_, i): [number, Msr][] => {
    const base = index.IA32_MTRR_PHYSBASE0 + 2 * i;
    return [
      [base, stored(0n, isBase)],
      [base + 1, stored(0n, isMask)],
    ];
  });
  return [
    [index.IA32_MTRRCAP, constant(MTRRCAP)],
    [index.IA32_MTRR_DEF_TYPE, stored(0n, withType(MTRR_TYPES, hasOnly(DEF_TYPE_BITS)))],
    ...variable.flat(),
    ...FIXED_RANGES.map((at): [number, Msr] => [at, stored(0n, allOf(MTRR_TYPES))]),
    [index.IA32_PAT, stored(PAT_AT_RESET, allOf(PAT_TYPES))],
  ];
}

/** The lowest byte is a memory type. */
function withType(types: readonly bigint[], isValid: (value: bigint) => boolean) {
  return (value: bigint): boolean => isValid(value) && types.includes(value & 0xffn);
}

/** Each of the eight bytes is a memory type. */
function allOf(types: readonly bigint[]) {
  return (value: bigint): boolean => {
    for (let shift = 0n; shift < 64n; shift += 8n)
      if (!types.includes((value >> shift) & 0xffn)) return false;
    return true;
  };
}
