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
}

export interface TestCase {
  readonly code: Uint8Array;
  readonly registers: BigUint64Array;
  readonly rflags: bigint;
  /** What is in the window. */
  readonly memory: Uint8Array;
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

/** Mostly in the window, some across pages, read-only, or where nothing is. */
export function pickTarget(random: Random, { gva, lengthBytes }: Window, alignment = 1): number {
  switch (random.below(32)) {
    case 0:
      return LAYOUT.dataGva + 4096 - random.below(9);
    case 1:
      return LAYOUT.readonlyGva + random.below(64);
    case 2:
      return LAYOUT.unmappedGva + random.below(64);
    default: {
      const offset = random.below(lengthBytes - LONGEST_BYTES);
      return gva + (alignment === 1 || random.chance(8) ? offset : offset - (offset % alignment));
    }
  }
}

const PAGE_BYTES = 4096;
const WINDOW_BYTES = 64;

/** As long as the fast way of running cases allows: at the start of the data, its end, or across two of its pages. */
export function pickWindow(random: Random): Window {
  const starts = [0, LAYOUT.dataLengthBytes - WINDOW_BYTES, PAGE_BYTES - WINDOW_BYTES / 2];
  return { gva: LAYOUT.dataGva + random.pick(starts), lengthBytes: WINDOW_BYTES };
}
