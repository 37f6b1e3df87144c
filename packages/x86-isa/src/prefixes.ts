/** The prefixes before an opcode (Intel SDM Vol. 2A §2.1.1 "Instruction Prefixes", §2.2.1 "REX Prefixes"). */
import { REX } from './address-form.ts';
import type { ByteReader } from './byte-reader.ts';
import type { MandatoryPrefix } from './opcode.ts';
import { readVex, startsVex, type Vex } from './vex.ts';

/** What a byte is before the opcode; a segment override is `SEGMENT` and the segment's number. */
const KIND = { none: 0, operandSize: 1, addressSize: 2, lock: 3, f2: 4, f3: 5, rex: 6, ignored: 7 } as const;
const SEGMENT = 8;
const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const FS = 4;

function kinds(modeBits: 32 | 64): Uint8Array {
  const table = new Uint8Array(256);
  // In 64-bit mode ES, CS, SS and DS overrides are ignored.
  for (const [segment, byte] of SEGMENT_PREFIXES.entries())
    table[byte] = modeBits === 64 && segment < FS ? KIND.ignored : SEGMENT + segment;
  table[0x66] = KIND.operandSize;
  table[0x67] = KIND.addressSize;
  table[0xf0] = KIND.lock;
  table[0xf2] = KIND.f2;
  table[0xf3] = KIND.f3;
  if (modeBits === 64) table.fill(KIND.rex, 0x40, 0x50);
  return table;
}

const KINDS = kinds(32);
const KINDS_64 = kinds(64);

/** How many values `Prefixes.selector` has, without VEX and with it. */
export const SELECTORS = { legacy: 1 << 5, vex: 1 << 8 } as const;

/** Made once and read into for every instruction. */
export class Prefixes {
  operandSize = false;
  addressSize = false;
  lock = false;
  repeat: 'f2' | 'f3' | undefined = undefined;
  /** A segment override: ES, CS, SS, DS, FS, GS. */
  segment: number | undefined = undefined;
  rex = 0;
  hasRex = false;
  vex: Vex | undefined = undefined;

  /**
   * Those without VEX: in any order, each as often as one likes; the last of a group counts, and REX only right before the
   * opcode.
   * @returns the byte that is behind them
   */
  read(reader: ByteReader, modeBits: 16 | 32 | 64): number {
    this.#clear();
    const table = modeBits === 64 ? KINDS_64 : KINDS;
    for (;;) {
      const byte = reader.byte();
      const kind = table[byte]!;
      if (kind === KIND.none) return byte;
      this.hasRex = kind === KIND.rex;
      this.rex = this.hasRex ? byte & 15 : 0;
      if (kind !== KIND.rex) this.#take(kind);
    }
  }

  /**
   * VEX, if it begins with the byte that is behind the others: it stands for some of them, which must not precede it.
   * @returns whether it is well-formed, or not there
   */
  readVex(first: number, reader: ByteReader, modeBits: 16 | 32 | 64): boolean {
    if (!startsVex(first, reader, modeBits)) return true;
    const vex = readVex(first, reader, modeBits);
    if (vex === undefined || this.operandSize || this.repeat !== undefined || this.lock || this.hasRex)
      return false;
    this.vex = vex;
    this.rex = vex.rex;
    this.operandSize = vex.prefix === '66';
    this.repeat = vex.prefix === '66' ? undefined : vex.prefix;
    return true;
  }

  /** Of 66, F2 and F3, that which may be part of the opcode. */
  get mandatory(): MandatoryPrefix {
    return this.repeat ?? (this.operandSize ? '66' : 'none');
  }

  /** Numbers everything here that decides on the encoding and its operand size. */
  get selector(): number {
    const { repeat, vex } = this;
    const f = repeat === undefined ? 0 : repeat === 'f2' ? 1 : 2;
    const legacy = f | (this.operandSize ? 4 : 0) | (this.rex & REX.W) | (this.rex & REX.B ? 16 : 0);
    if (vex === undefined) return legacy;
    return legacy | (vex.vectorBits === 256 ? 32 : 0) | (vex.w ? 64 : 0) | (vex.vvvv === 0 ? 0 : 128);
  }

  #clear(): void {
    this.operandSize = false;
    this.addressSize = false;
    this.lock = false;
    this.repeat = undefined;
    this.segment = undefined;
    this.vex = undefined;
    this.rex = 0;
    this.hasRex = false;
  }

  #take(kind: number): void {
    if (kind >= SEGMENT) this.segment = kind - SEGMENT;
    else if (kind === KIND.operandSize) this.operandSize = true;
    else if (kind === KIND.addressSize) this.addressSize = true;
    else if (kind === KIND.lock) this.lock = true;
    else if (kind === KIND.f2) this.repeat = 'f2';
    else if (kind === KIND.f3) this.repeat = 'f3';
  }
}
