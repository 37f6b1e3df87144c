/**
 * Segment override prefixes: FS and GS have bases in 64-bit mode, the others are ignored (Intel SDM Vol. 1 §3.4.2.1
 * "Segment Registers in 64-Bit Mode").
 */
import { LAYOUT } from './native/address-space.ts';
import type { Random } from './random.ts';
import type { SegmentBases } from './test-case.ts';

const FS_OVERRIDE = 0x64;
const GS_OVERRIDE = 0x65;
const IGNORED = [0x26, 0x2e, 0x36, 0x3e];

export function chooseSegmentOverride(random: Random): number | undefined {
  if (!random.chance(6)) return undefined;
  return random.pick([FS_OVERRIDE, GS_OVERRIDE, FS_OVERRIDE, GS_OVERRIDE, ...IGNORED]);
}

/** Below all memory, so that an offset of 32 bits reaches it. */
export function chooseSegmentBases(random: Random): SegmentBases {
  return { fs: random.below(LAYOUT.codeGva), gs: random.below(LAYOUT.codeGva) };
}

/** What is added to an address that has this prefix, or none. */
export function overriddenBase(segment: number | undefined, { fs, gs }: SegmentBases): number {
  if (segment === FS_OVERRIDE) return fs;
  return segment === GS_OVERRIDE ? gs : 0;
}
