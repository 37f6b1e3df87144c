/** From bytes to an instruction of the table, with its operands' places (Intel SDM Vol. 2A chapter 2 "Instruction Format"). */
import { type ModRm, REX, readModRm } from './address-form.ts';
import { ByteReader, MAX_INSTRUCTION_BYTES } from './byte-reader.ts';
import { type Candidate, type Form, opcodeNumber, opcodeRow } from './decode-table.ts';
import { Prefixes } from './prefixes.ts';
import type { Vex } from './vex.ts';

export type ModeBits = 16 | 32 | 64;

export interface Decoded extends Candidate {
  readonly lengthBytes: number;
  readonly operandBits: 16 | 32 | 64;
  readonly addressBits: 16 | 32 | 64;
  readonly lock: boolean;
  /** F3 or F2, where it is no part of the opcode. */
  readonly repeat: 'rep' | 'repne' | undefined;
  /** A segment override: ES, CS, SS, DS, FS, GS. */
  readonly segment: number | undefined;
  /** 0 when there is none; with one, byte registers 4 to 7 are SPL to DIL. */
  readonly rex: number;
  readonly hasRex: boolean;
  readonly vex: Vex | undefined;
  readonly modrm: ModRm | undefined;
  /** The register in the opcode, with REX.B. */
  readonly opcodeRegister: number;
  /**
   * The immediate, the relative displacement, or the offset of a memory operand without ModRM; a bigint where it has more
   * than 32 bits. Of a far pointer bits 0 to 31 are the offset, zero-extended, and those above it the selector.
   */
  readonly immediate: number | bigint | undefined;
}

/** What is no instruction: 'invalid' raises #UD, 'too-long' #GP; of 'truncated' there are not all bytes yet. */
export type Undecodable = 'invalid' | 'too-long' | 'truncated';

const REPEATS = { none: undefined, f2: 'repne', f3: 'rep' } as const;
const MAP_0F = opcodeNumber('0f', 0);
const MAP_0F38 = opcodeNumber('0f38', 0);
const MAP_0F3A = opcodeNumber('0f3a', 0);

// One of each for all instructions: a booting kernel has hundreds of thousands decoded.
const reader = new ByteReader();
const prefixes = new Prefixes();

export function decode(bytes: Uint8Array, modeBits: ModeBits, start = 0): Decoded | Undecodable {
  reader.startAt(bytes, start);
  const decoded = decodeNext(modeBits);
  if (!reader.overrun) return decoded;
  return bytes.length - start >= MAX_INSTRUCTION_BYTES ? 'too-long' : 'truncated';
}

/** What it finds counts only if the reader was not overrun. */
function decodeNext(modeBits: ModeBits): Decoded | 'invalid' {
  const first = prefixes.read(reader, modeBits);
  if (!prefixes.readVex(first, reader, modeBits)) return 'invalid';
  const { vex, rex } = prefixes;
  const opcode = vex === undefined ? readOpcode(first) : opcodeNumber(vex.map, reader.byte());
  const row = opcodeRow(modeBits, vex !== undefined, opcode);
  const addressBits = addressSize(modeBits, prefixes.addressSize);
  const modrm = row.hasModRm ? readModRm(reader, rex, addressBits, modeBits) : undefined;
  const form = row.find(prefixes, modrm);
  if (form === undefined) return 'invalid';
  const { instruction, encoding, operandBits } = form;
  const immediate = form.immediates.length === 0 ? undefined : readImmediates(form, addressBits);
  const { lock, segment, hasRex } = prefixes;
  if (lock && !(encoding.lockable && typeof modrm?.rm === 'object')) return 'invalid';
  return {
    ...{ instruction, encoding, lengthBytes: reader.lengthBytes, operandBits, addressBits, lock },
    repeat: form.leavesRepeat ? REPEATS[prefixes.repeat ?? 'none'] : undefined,
    ...{ segment, rex, hasRex, vex, modrm },
    opcodeRegister: (opcode & 7) | (rex & REX.B ? 8 : 0),
    immediate,
  };
}

/** @returns its number (`opcodeNumber`) */
function readOpcode(first: number): number {
  if (first !== 0x0f) return first;
  const second = reader.byte();
  if (second === 0x38) return MAP_0F38 | reader.byte();
  if (second === 0x3a) return MAP_0F3A | reader.byte();
  return MAP_0F | second;
}

function addressSize(modeBits: ModeBits, prefix: boolean): 16 | 32 | 64 {
  if (!prefix) return modeBits;
  return modeBits === 32 ? 16 : 32;
}

/** Of several the last one. */
function readImmediates({ immediates, hasFarPointer }: Form, addressBits: 16 | 32 | 64): number | bigint {
  if (hasFarPointer) return readFarPointer(immediates[0] as 2 | 4);
  let value: number | bigint = 0;
  for (const part of immediates) {
    const lengthBytes = part === 'address' ? ((addressBits / 8) as 2 | 4 | 8) : part;
    value = lengthBytes === 8 ? reader.signed64() : reader.signed(lengthBytes);
  }
  return value;
}

/** The offset comes first, the selector after it. */
function readFarPointer(offsetBytes: 2 | 4): bigint {
  const offset = reader.signed(offsetBytes) & (offsetBytes === 2 ? 0xffff : -1);
  const selector = reader.signed(2) & 0xffff;
  return (BigInt(selector) << 32n) | BigInt(offset >>> 0);
}
