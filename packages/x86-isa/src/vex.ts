/** The VEX prefix, in its two-byte and three-byte forms (Intel SDM Vol. 2A §2.3.5 "The VEX Prefix"). */
import { REX } from './address-form.ts';
import type { ByteReader } from './byte-reader.ts';
import type { OpcodeMap } from './opcode.ts';

export interface Vex {
  readonly map: OpcodeMap;
  /** The prefix that it stands for. */
  readonly prefix: undefined | '66' | 'f3' | 'f2';
  /** R, X, B and W at their places in REX: what was inverted is not any more. W counts in 64-bit mode only. */
  readonly rex: number;
  readonly w: boolean;
  /** The register that vvvv names; 0 when it names none. */
  readonly vvvv: number;
  readonly vectorBits: 128 | 256;
}

const THREE_BYTES = 0xc4;
const TWO_BYTES = 0xc5;
const PREFIXES = [undefined, '66', 'f3', 'f2'] as const;
const MAPS: readonly (OpcodeMap | undefined)[] = [undefined, '0f', '0f38', '0f3a'];

/**
 * Outside 64-bit mode these bytes are LDS and LES, whose operand must be memory: VEX looks like a register there. In
 * real-address and virtual-8086 mode there is no VEX, and what looks like it is invalid either way.
 */
export function startsVex(first: number, reader: ByteReader, modeBits: 16 | 32 | 64): boolean {
  return (first === THREE_BYTES || first === TWO_BYTES) && (modeBits === 64 || reader.peek() >= 0xc0);
}

/**
 * What follows the first byte.
 * @returns undefined for an opcode map that there is not
 */
export function readVex(opening: number, reader: ByteReader, modeBits: 16 | 32 | 64): Vex | undefined {
  const isLong = opening === THREE_BYTES;
  const first = reader.byte();
  const last = isLong ? reader.byte() : first;
  const map = isLong ? MAPS[first & 0x1f] : '0f';
  if (map === undefined) return undefined;
  // RXB are the upper three bits, inverted; the short form has R only.
  const extensions = ~(first >> 5) & (isLong ? REX.R | REX.X | REX.B : REX.R);
  const w = isLong && (last & 0x80) !== 0;
  const is64 = modeBits === 64;
  return {
    ...{ map, prefix: PREFIXES[last & 3], w },
    rex: is64 ? extensions | (w ? REX.W : 0) : 0,
    vvvv: (~last >> 3) & (is64 ? 15 : 7),
    vectorBits: last & 4 ? 256 : 128,
  };
}
