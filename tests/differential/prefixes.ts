/**
 * Prefixes that an instruction may have and need not. FS and GS have bases in 64-bit mode, other segment overrides are
 * ignored (Intel SDM Vol. 1 §3.4.2.1 "Segment Registers in 64-Bit Mode"); and processors ignore prefixes that have no
 * meaning with an opcode, which programs rely on (REP RET).
 */
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import { LAYOUT } from './native/address-space.ts';
import type { Random } from './random.ts';
import type { SegmentBases } from './test-case.ts';

const FS_OVERRIDE = 0x64;
const GS_OVERRIDE = 0x65;
const IGNORED_OVERRIDES = [0x26, 0x2e, 0x36, 0x3e];
const OPERAND_SIZE = 0x66;
const REPEATS = [0xf2, 0xf3];
/** PAUSE is NOP with F3, and of LOOPNE and LOOPE AMD's processors let F2 and F3 choose the condition. */
const NOT_REPEATED: ReadonlySet<number> = new Set([0x90, 0xe0, 0xe1]);

export function chooseSegmentOverride(random: Random): number | undefined {
  if (!random.chance(6)) return undefined;
  return random.pick([FS_OVERRIDE, GS_OVERRIDE, FS_OVERRIDE, GS_OVERRIDE, ...IGNORED_OVERRIDES]);
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

/** In the other opcode maps, and with VEX, they would make other instructions. */
export function chooseIgnoredPrefixes(random: Random, { encoding }: Variant): readonly number[] {
  const { opcode, operands, operandEncoding, repeatable, forces64, defaults64 } = encoding;
  if (opcode.map !== 'one-byte' || opcode.vex || opcode.prefix !== undefined || !random.chance(8)) return [];
  const hasSize =
    operandEncoding === 'ZO' || forces64 || defaults64 || operands.some(({ width }) => width === 'v');
  if (!hasSize && random.chance(2)) return [OPERAND_SIZE];
  return repeatable || NOT_REPEATED.has(opcode.byte) ? [] : [random.pick(REPEATS)];
}
