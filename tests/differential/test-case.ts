/** What a case is made of, and where its operands in memory are. */
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import type { Choice } from './instruction-encoder.ts';
import { LAYOUT } from './native/address-space.ts';
import type { Random } from './random.ts';

export interface TestCode {
  readonly variant: Variant;
  readonly choice: Choice;
  readonly code: Uint8Array;
  /** Where memory is not zero, and most accesses go. */
  readonly window: Window;
  /** Where its memory operand is, if the code alone says that. */
  readonly target?: number;
  readonly segmentBases: SegmentBases;
}

export interface SegmentBases {
  readonly fs: number;
  readonly gs: number;
}

export interface TestCase {
  readonly code: Uint8Array;
  readonly registers: BigUint64Array;
  readonly rflags: bigint;
  /** What is in the window. */
  readonly memory: Uint8Array;
  /** x87, MMX and SSE as FXSAVE64 stores them, of instructions that have to do with them. */
  readonly fxsave?: Uint8Array;
}

export interface Window {
  readonly gva: number;
  readonly lengthBytes: number;
}

export const START_OF_DATA: Window = { gva: LAYOUT.dataGva, lengthBytes: 128 };

/** Canonical, whatever is in the lower bits. */
export const USER_ADDRESSES = 0x7fff_ffff_ffffn;
/** No operand is longer. */
const LONGEST_BYTES = 16;
const PAGE_BYTES = 4096;

/** Mostly in the window; else across pages, and where memory begins or ends or may not be written. */
export function pickTarget(random: Random, window: Window, alignment = 1): number {
  if (random.chance(8)) return pickEdge(random, alignment);
  return window.gva + align(random, random.below(window.lengthBytes - LONGEST_BYTES), alignment);
}

function pickEdge(random: Random, alignment: number): number {
  const before = (gva: number) => gva - 1 - align(random, random.below(LONGEST_BYTES + 1), alignment);
  const from = (gva: number) => gva + align(random, random.below(64), alignment);
  switch (random.below(8)) {
    case 0:
    case 1:
      return before(LAYOUT.dataGva + PAGE_BYTES);
    case 2:
      return before(LAYOUT.unmappedGva);
    case 3:
      return from(LAYOUT.unmappedGva);
    case 4:
      return before(LAYOUT.dataGva);
    case 5:
      return before(LAYOUT.readonlyGva);
    case 6:
      return from(LAYOUT.readonlyGva);
    default:
      return before(LAYOUT.readonlyGva + LAYOUT.readonlyLengthBytes);
  }
}

/** Most of what must be aligned is. */
function align(random: Random, offset: number, alignment: number): number {
  return alignment === 1 || random.chance(8) ? offset : offset - (offset % alignment);
}

/** Where addresses cease to be canonical, wrap around, or are the kernel's: operands begin there or extend there. */
const FAR_PLACES = [0n, 1n << 32n, 1n << 47n, -(1n << 47n), 1n << 63n, -(1n << 33n)];

export function pickFarPlace(random: Random): bigint {
  const offset = BigInt(random.below(2 * LONGEST_BYTES) - LONGEST_BYTES);
  return BigInt.asUintN(64, random.pick(FAR_PLACES) + offset);
}

const WINDOW_BYTES = 64;

/** As long as the fast way of running cases allows: at the start of the data, its end, or across two of its pages. */
export function pickWindow(random: Random): Window {
  const starts = [0, LAYOUT.dataLengthBytes - WINDOW_BYTES, PAGE_BYTES - WINDOW_BYTES / 2];
  return { gva: LAYOUT.dataGva + random.pick(starts), lengthBytes: WINDOW_BYTES };
}
