/** From bytes to an instruction of the table, with its operands' places (Intel SDM Vol. 2A chapter 2 "Instruction Format"). */
import { type ModRm, REX, readModRm } from './address-form.ts';
import { ByteReader, MAX_INSTRUCTION_BYTES, OutOfBytes } from './byte-reader.ts';
import { type Candidate, candidates } from './decode-table.ts';
import type { Encoding } from './instruction.ts';
import type { MandatoryPrefix, OpcodeMap } from './opcode.ts';
import type { OperandSpec } from './operand.ts';
import { readVex, startsVex, type Vex } from './vex.ts';

export type ModeBits = 16 | 32 | 64;

export interface Decoded extends Candidate {
  readonly lengthBytes: number;
  readonly operandBits: 16 | 32 | 64;
  readonly addressBits: 16 | 32 | 64;
  readonly lock: boolean;
  /** F3 or F2, where it is no part of the opcode. */
  readonly repeat?: 'rep' | 'repne';
  /** A segment override: ES, CS, SS, DS, FS, GS. */
  readonly segment?: number;
  /** 0 when there is none; with one, byte registers 4 to 7 are SPL to DIL. */
  readonly rex: number;
  readonly hasRex: boolean;
  readonly vex?: Vex;
  readonly modrm?: ModRm;
  /** The register in the opcode, with REX.B. */
  readonly opcodeRegister: number;
  /** The immediate, the relative displacement, or the offset of a memory operand without ModRM. */
  readonly immediate?: bigint;
}

/** What is no instruction: 'invalid' raises #UD, 'too-long' #GP; of 'truncated' there are not all bytes yet. */
export type Undecodable = 'invalid' | 'too-long' | 'truncated';

interface Prefixes {
  operandSize: boolean;
  addressSize: boolean;
  lock: boolean;
  repeat: 'f2' | 'f3' | undefined;
  segment: number | undefined;
  rex: number;
  hasRex: boolean;
  vex?: Vex;
}

const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

export function decode(bytes: Uint8Array, modeBits: ModeBits, start = 0): Decoded | Undecodable {
  const reader = new ByteReader(bytes, start);
  try {
    return decodeFrom(reader, modeBits);
  } catch (error) {
    if (!(error instanceof OutOfBytes)) throw error;
    return bytes.length - start >= MAX_INSTRUCTION_BYTES ? 'too-long' : 'truncated';
  }
}

function decodeFrom(reader: ByteReader, modeBits: ModeBits): Decoded | Undecodable {
  const prefixes = readAllPrefixes(reader, modeBits);
  if (prefixes === undefined) return 'invalid';
  const { vex } = prefixes;
  const { map, byte } = vex ? { map: vex.map, byte: reader.byte() } : readOpcode(reader);
  const addressBits = addressSize(modeBits, prefixes.addressSize);
  const all = candidates(map, byte, vex !== undefined);
  const hasModRm = all.some(({ encoding }) => encoding.opcode.modrm !== undefined);
  const modrm = hasModRm ? readModRm(reader, prefixes.rex, { addressBits, modeBits }) : undefined;
  const found = choose(all, prefixes, modeBits, modrm);
  if (found === undefined) return 'invalid';
  const { encoding } = found;
  const operandBits = operandSize(encoding, modeBits, prefixes);
  const immediate = readImmediate(reader, encoding, operandBits, addressBits);
  if (prefixes.lock && !(encoding.lockable && typeof modrm?.rm === 'object')) return 'invalid';
  const repeats = encoding.opcode.prefix === undefined && prefixes.repeat !== undefined;
  return {
    ...found,
    ...{ lengthBytes: reader.lengthBytes, operandBits, addressBits, lock: prefixes.lock },
    ...(repeats && { repeat: prefixes.repeat === 'f3' ? 'rep' : 'repne' }),
    ...(prefixes.segment === undefined ? {} : { segment: prefixes.segment }),
    ...{ rex: prefixes.rex, hasRex: prefixes.hasRex },
    ...(vex && { vex }),
    ...(modrm && { modrm }),
    opcodeRegister: (byte & 7) | (prefixes.rex & REX.B ? 8 : 0),
    ...(immediate === undefined ? {} : { immediate }),
  };
}

/** With VEX, which other prefixes that it stands for must not precede. @returns undefined when they do, or it is malformed */
function readAllPrefixes(reader: ByteReader, modeBits: ModeBits): Prefixes | undefined {
  const prefixes = readPrefixes(reader, modeBits);
  if (!startsVex(reader, modeBits)) return prefixes;
  const { operandSize, repeat, lock, hasRex } = prefixes;
  const vex = readVex(reader, modeBits);
  if (vex === undefined || operandSize || repeat !== undefined || lock || hasRex) return undefined;
  return {
    ...prefixes,
    ...{ rex: vex.rex, vex, operandSize: vex.prefix === '66' },
    repeat: vex.prefix === '66' ? undefined : vex.prefix,
  };
}

/** In any order, each as often as one likes; the last of a group counts, and REX only right before the opcode. */
function readPrefixes(reader: ByteReader, modeBits: ModeBits): Prefixes {
  const prefixes: Prefixes = {
    ...{ operandSize: false, addressSize: false, lock: false, repeat: undefined, segment: undefined },
    ...{ rex: 0, hasRex: false },
  };
  for (;;) {
    const byte = reader.peek();
    const isRex = modeBits === 64 && byte >> 4 === 4;
    if (!isRex && !takeLegacyPrefix(prefixes, byte, modeBits)) return prefixes;
    prefixes.rex = isRex ? byte & 15 : 0;
    prefixes.hasRex = isRex;
    reader.byte();
  }
}

/** @returns whether the byte is one */
function takeLegacyPrefix(prefixes: Prefixes, byte: number, modeBits: ModeBits): boolean {
  const segment = SEGMENT_PREFIXES.indexOf(byte);
  // In 64-bit mode ES, CS, SS and DS overrides are ignored (§2.1.1 "Instruction Prefixes").
  if (segment >= 0) {
    if (modeBits !== 64 || segment >= 4) prefixes.segment = segment;
  } else if (byte === 0x66) prefixes.operandSize = true;
  else if (byte === 0x67) prefixes.addressSize = true;
  else if (byte === 0xf0) prefixes.lock = true;
  else if (byte === 0xf2) prefixes.repeat = 'f2';
  else if (byte === 0xf3) prefixes.repeat = 'f3';
  else return false;
  return true;
}

function readOpcode(reader: ByteReader): { map: OpcodeMap; byte: number } {
  const first = reader.byte();
  if (first !== 0x0f) return { map: 'one-byte', byte: first };
  const second = reader.byte();
  if (second === 0x38) return { map: '0f38', byte: reader.byte() };
  if (second === 0x3a) return { map: '0f3a', byte: reader.byte() };
  return { map: '0f', byte: second };
}

/** The most specific encoding that fits: with a mandatory prefix before without, the first in the table of the others. */
function choose(
  all: readonly Candidate[],
  prefixes: Prefixes,
  modeBits: ModeBits,
  modrm: ModRm | undefined,
): Candidate | undefined {
  const fitting = all.filter(
    ({ encoding }) =>
      fitsMode(encoding, modeBits) && fitsModRm(encoding, modrm) && fitsPrefix(encoding, prefixes),
  );
  return fitting.find(({ encoding }) => encoding.opcode.prefix !== undefined) ?? fitting[0];
}

function fitsMode({ modes }: Encoding, modeBits: ModeBits): boolean {
  if (modes === undefined) return true;
  return (modes === 'only-64') === (modeBits === 64);
}

function fitsModRm({ opcode, operands }: Encoding, modrm: ModRm | undefined): boolean {
  if (opcode.modrmByte !== undefined) return modrm?.byte === opcode.modrmByte;
  if (typeof opcode.modrm === 'number' && modrm && ((modrm.byte >> 3) & 7) !== opcode.modrm) return false;
  const isRegister = typeof modrm?.rm === 'number';
  return operands.every(({ source }) =>
    source === 'rm-memory' ? !isRegister : source === 'rm-register' ? isRegister : true,
  );
}

function fitsVex({ opcode, operands }: Encoding, vex: Vex): boolean {
  const { vectorBits = vex.vectorBits, w = vex.w } = opcode.vex!;
  // Where it names no register, vvvv must be 1111b, inverted.
  const usesVvvv = operands.some(({ source }) => source === 'vvvv');
  return vectorBits === vex.vectorBits && w === vex.w && (usesVvvv || vex.vvvv === 0);
}

function fitsPrefix(encoding: Encoding, prefixes: Prefixes): boolean {
  const { opcode, withoutRexB } = encoding;
  if (prefixes.vex && !fitsVex(encoding, prefixes.vex)) return false;
  if (withoutRexB && prefixes.rex & REX.B) return false;
  if (opcode.rexW !== undefined && opcode.rexW !== ((prefixes.rex & REX.W) !== 0)) return false;
  if (opcode.prefix === 'no-repeat') return prefixes.repeat === undefined;
  const present: MandatoryPrefix = prefixes.repeat ?? (prefixes.operandSize ? '66' : 'none');
  return opcode.prefix === undefined || opcode.prefix === present;
}

function addressSize(modeBits: ModeBits, prefix: boolean): 16 | 32 | 64 {
  if (!prefix) return modeBits;
  return modeBits === 32 ? 16 : 32;
}

function operandSize(encoding: Encoding, modeBits: ModeBits, { rex, operandSize }: Prefixes): 16 | 32 | 64 {
  if (rex & REX.W || (modeBits === 64 && encoding.forces64)) return 64;
  const prefix = operandSize && encoding.opcode.prefix !== '66';
  if (modeBits === 16) return prefix ? 32 : 16;
  if (prefix) return 16;
  return modeBits === 64 && encoding.defaults64 ? 64 : 32;
}

function readImmediate(
  reader: ByteReader,
  { operands }: Encoding,
  operandBits: 16 | 32 | 64,
  addressBits: 16 | 32 | 64,
): bigint | undefined {
  let value: bigint | undefined;
  for (const operand of operands) {
    if (operand.source === 'far-pointer') value = readFarPointer(reader, operandBits);
    else if (operand.source === 'offset') value = reader.signed((addressBits / 8) as 2 | 4 | 8);
    else if (isEncoded(operand)) value = reader.signed(encodedBytes(operand, operandBits));
  }
  return value;
}

/** The offset comes first, the selector after it. */
function readFarPointer(reader: ByteReader, operandBits: 16 | 32 | 64): bigint {
  const offset = BigInt.asUintN(operandBits === 16 ? 16 : 32, reader.signed(operandBits === 16 ? 2 : 4));
  return (BigInt.asUintN(16, reader.signed(2)) << 32n) | offset;
}

function isEncoded({ source, implied }: OperandSpec): boolean {
  return (source === 'immediate' && implied === undefined) || source === 'relative';
}

function encodedBytes({ encoded }: OperandSpec, operandBits: 16 | 32 | 64): 1 | 2 | 3 | 4 | 8 {
  if (encoded === 'v') return (operandBits / 8) as 2 | 4 | 8;
  if (encoded === 'z') return operandBits === 16 ? 2 : 4;
  return (encoded! / 8) as 1 | 2 | 3 | 4;
}
