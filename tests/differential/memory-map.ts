/** The memory of the traced process as the engine has it: what is where, and which accesses fault, and how. */
import { LINEAR_ADDRESS_BITS } from './host-features.ts';
import { LAYOUT } from './native/address-space.ts';

export const PAGE_BYTES = 4096;

export interface Region {
  readonly gva: number;
  readonly lengthBytes: number;
  /** In the engine's memory. */
  readonly at: number;
  readonly writable: boolean;
}

const DATA = 0x40000;
const BORDER = 0x60000;

/** The read-only page is behind the border's there, too, for accesses across them. */
export const REGIONS = {
  data: { gva: LAYOUT.dataGva, lengthBytes: LAYOUT.dataLengthBytes, at: DATA, writable: true },
  border: { gva: LAYOUT.borderGva, lengthBytes: LAYOUT.borderLengthBytes, at: BORDER, writable: true },
  readonly: {
    ...{ gva: LAYOUT.readonlyGva, lengthBytes: LAYOUT.readonlyLengthBytes, writable: false },
    at: BORDER + LAYOUT.borderLengthBytes,
  },
} as const satisfies Readonly<Record<string, Region>>;

const ALL: readonly Region[] = Object.values(REGIONS);

export interface MemoryFault {
  /** What is not canonical is no page fault (Intel SDM Vol. 1 §3.3.7.1 "Canonical Addressing"). */
  readonly kind: 'unmapped' | 'read-only' | 'not-canonical' | 'misaligned';
  /** The first byte that could not be accessed: what CR2 is. */
  readonly address: bigint;
}

export interface Access {
  readonly gva: bigint;
  readonly lengthBytes: number;
  readonly isWrite: boolean;
}

/** @returns where it is in the engine's memory, or why it is nowhere */
export function locate({ gva, lengthBytes, isWrite }: Access): number | MemoryFault {
  const last = BigInt.asUintN(64, gva + BigInt(lengthBytes - 1));
  if (!isCanonical(gva) || !isCanonical(last)) return { kind: 'not-canonical', address: gva };
  const secondPage = last - (last % BigInt(PAGE_BYTES));
  const region = regionOf(gva);
  const fault =
    faultAt(gva, region, isWrite) ??
    (secondPage === gva - (gva % BigInt(PAGE_BYTES))
      ? undefined
      : faultAt(secondPage, regionOf(last), isWrite));
  return fault ?? region!.at + Number(gva) - region!.gva;
}

function faultAt(address: bigint, region: Region | undefined, isWrite: boolean): MemoryFault | undefined {
  if (region === undefined) return { kind: 'unmapped', address };
  return isWrite && !region.writable ? { kind: 'read-only', address } : undefined;
}

function regionOf(address: bigint): Region | undefined {
  return ALL.find(({ gva, lengthBytes }) => address >= gva && address < gva + lengthBytes);
}

function isCanonical(address: bigint): boolean {
  return BigInt.asUintN(64, BigInt.asIntN(LINEAR_ADDRESS_BITS, address)) === address;
}
