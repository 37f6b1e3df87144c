/** Makes the bytes of an instruction from its row in the table: what the decoder takes apart. For 64-bit mode. */
import type { Encoding, OperandSpec } from '@vireo/x86-isa';

export interface MemoryOperand {
  readonly base?: number;
  readonly index?: number;
  readonly scale: number;
  readonly displacement: number;
  readonly ripRelative: boolean;
}

export interface Choice {
  readonly encoding: Encoding;
  readonly operandBits: 16 | 32 | 64;
  readonly addressBits: 32 | 64;
  readonly lock: boolean;
  /** A segment override prefix. */
  readonly segment?: number;
  /** Before all others. */
  readonly ignoredPrefixes: readonly number[];
  /** ModRM.reg or the register in the opcode. */
  readonly register: number;
  /** ModRM.rm. */
  readonly rm: number | MemoryOperand;
  /** VEX.vvvv. */
  readonly vvvv: number;
  readonly repeat: 'none' | 'rep' | 'repne';
  /** A REX prefix even if it says nothing: then byte registers 4 to 7 are SPL to DIL. */
  readonly forceRex: boolean;
  readonly immediate: bigint;
}

export function encode(choice: Choice): Uint8Array {
  const { encoding, addressBits, lock, repeat } = choice;
  const { opcode, operands } = encoding;
  const bytes = [...choice.ignoredPrefixes];
  if (choice.segment !== undefined) bytes.push(choice.segment);
  if (lock) bytes.push(0xf0);
  if (addressBits === 32) bytes.push(0x67);
  if (repeat !== 'none') bytes.push(repeat === 'rep' ? 0xf3 : 0xf2);
  bytes.push(...(opcode.vex ? vexPrefix(choice) : legacyPrefixes(choice)));
  bytes.push(opcode.byte + (opcode.plusRegister ? choice.register & 7 : 0));
  if (opcode.modrmByte !== undefined) bytes.push(opcode.modrmByte);
  else if (opcode.modrm !== undefined) bytes.push(...modRm(choice));
  for (const operand of operands) bytes.push(...immediateBytes(operand, choice));
  return Uint8Array.from(bytes);
}

/** Operand size, mandatory prefix, REX, and the bytes before the opcode's last. */
function legacyPrefixes(choice: Choice): number[] {
  const { encoding, operandBits } = choice;
  const { opcode, operands } = encoding;
  const bytes: number[] = [];
  const has = (width: 'v' | 'y') => operands.some((operand) => operand.width === width);
  const dependsOnSize = encoding.operandEncoding === 'ZO' || has('v');
  if (dependsOnSize && operandBits === 16) bytes.push(0x66);
  if (opcode.prefix !== undefined && opcode.prefix in PREFIX_BYTES)
    bytes.push(PREFIX_BYTES[opcode.prefix as '66' | 'f2' | 'f3']);
  const isWide = operandBits === 64 && (dependsOnSize || has('y')) && !encoding.defaults64;
  return [...bytes, ...rexPrefix(choice, opcode.rexW ?? isWide), ...escapeBytes(encoding)];
}

const PREFIX_BYTES = { 66: 0x66, f2: 0xf2, f3: 0xf3 } as const;
const VEX_MAPS = { 'one-byte': 0, '0f': 1, '0f38': 2, '0f3a': 3 } as const;
const VEX_PREFIXES = ['none', '66', 'f3', 'f2'];

/** The short form where it can say it, but for `forceRex`. */
function vexPrefix(choice: Choice): number[] {
  const { opcode } = choice.encoding;
  const vex = opcode.vex!;
  const rex = rexBits(choice, vex.w ?? choice.operandBits === 64);
  const prefix = Math.max(0, VEX_PREFIXES.indexOf(opcode.prefix ?? 'none'));
  const usesVvvv = choice.encoding.operands.some(({ source }) => source === 'vvvv');
  const vvvv = usesVvvv ? choice.vvvv : 0;
  const low = ((~vvvv & 15) << 3) | (vex.vectorBits === 256 ? 4 : 0) | prefix;
  if ((rex & 11) === 0 && opcode.map === '0f' && !choice.forceRex) return [0xc5, (rex & 4 ? 0 : 0x80) | low];
  return [0xc4, ((~rex & 7) << 5) | VEX_MAPS[opcode.map], (rex & 8 ? 0x80 : 0) | low];
}

function escapeBytes({ opcode: { map } }: Encoding): number[] {
  if (map === 'one-byte') return [];
  if (map === '0f') return [0x0f];
  return [0x0f, map === '0f38' ? 0x38 : 0x3a];
}

function rexPrefix(choice: Choice, isWide: boolean): number[] {
  const rex = rexBits(choice, isWide);
  return rex !== 0 || choice.forceRex ? [0x40 | rex] : [];
}

/** W, R, X and B. */
function rexBits({ encoding, register, rm }: Choice, isWide: boolean): number {
  const high = (number: number | undefined, bit: number) => (number !== undefined && number >= 8 ? bit : 0);
  const usesModRm = encoding.opcode.modrm !== undefined && encoding.opcode.modrmByte === undefined;
  let rex = isWide ? 8 : 0;
  if (encoding.opcode.plusRegister) rex |= high(register, 1);
  else if (usesModRm) {
    if (encoding.opcode.modrm === 'r') rex |= high(register, 4);
    rex |= typeof rm === 'number' ? high(rm, 1) : high(rm.base, 1) | high(rm.index, 2);
  }
  return rex;
}

function modRm({ encoding, register, rm }: Choice): number[] {
  const { modrm } = encoding.opcode;
  const reg = ((typeof modrm === 'number' ? modrm : register) & 7) << 3;
  if (typeof rm === 'number') return [0xc0 | reg | (rm & 7)];
  if (rm.ripRelative) return [reg | 5, ...littleEndian(BigInt(rm.displacement), 4)];
  const { mod, lengthBytes } = displacementForm(rm);
  const displacement = littleEndian(BigInt(rm.displacement), lengthBytes);
  const needsSib = rm.index !== undefined || rm.base === undefined || (rm.base & 7) === 4;
  if (!needsSib) return [mod | reg | (rm.base! & 7), ...displacement];
  const sib = (rm.scale << 6) | (((rm.index ?? 4) & 7) << 3) | ((rm.base ?? 5) & 7);
  return [mod | reg | 4, sib, ...displacement];
}

/** As short as can be: none is not possible with RBP and R13, whose place without one means no base. */
function displacementForm({ base, displacement }: MemoryOperand): { mod: number; lengthBytes: number } {
  if (base === undefined) return { mod: 0, lengthBytes: 4 };
  if (displacement === 0 && (base & 7) !== 5) return { mod: 0, lengthBytes: 0 };
  const isSmall = displacement >= -128 && displacement < 128;
  return isSmall ? { mod: 0x40, lengthBytes: 1 } : { mod: 0x80, lengthBytes: 4 };
}

function immediateBytes({ source, implied, encoded }: OperandSpec, choice: Choice): number[] {
  if (source === 'offset') return littleEndian(choice.immediate, choice.addressBits / 8);
  if ((source !== 'immediate' && source !== 'relative') || implied !== undefined) return [];
  const { operandBits, immediate } = choice;
  if (encoded === 'v') return littleEndian(immediate, operandBits / 8);
  if (encoded === 'z') return littleEndian(immediate, operandBits === 16 ? 2 : 4);
  return littleEndian(immediate, encoded! / 8);
}

function littleEndian(value: bigint, lengthBytes: number): number[] {
  return Array.from({ length: lengthBytes }, (_, at) => Number((value >> BigInt(at * 8)) & 0xffn));
}
