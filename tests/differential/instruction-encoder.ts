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
  /** ModRM.reg or the register in the opcode. */
  readonly register: number;
  /** ModRM.rm. */
  readonly rm: number | MemoryOperand;
  /** A REX prefix even if it says nothing: then byte registers 4 to 7 are SPL to DIL. */
  readonly forceRex: boolean;
  readonly immediate: bigint;
}

export function encode(choice: Choice): Uint8Array {
  const { encoding, operandBits, addressBits, lock } = choice;
  const { opcode, operands } = encoding;
  const bytes: number[] = [];
  const dependsOnSize = encoding.operandEncoding === 'ZO' || operands.some(({ width }) => width === 'v');
  if (lock) bytes.push(0xf0);
  if (addressBits === 32) bytes.push(0x67);
  if (dependsOnSize && operandBits === 16) bytes.push(0x66);
  if (opcode.prefix !== undefined && opcode.prefix !== 'none') bytes.push(Number.parseInt(opcode.prefix, 16));
  const wide = opcode.rexW ?? (dependsOnSize && operandBits === 64 && !encoding.defaults64);
  bytes.push(...rexPrefix(choice, wide), ...escapeBytes(encoding));
  bytes.push(opcode.byte + (opcode.plusRegister ? choice.register & 7 : 0));
  if (opcode.modrmByte !== undefined) bytes.push(opcode.modrmByte);
  else if (opcode.modrm !== undefined) bytes.push(...modRm(choice));
  for (const operand of operands) bytes.push(...immediateBytes(operand, choice));
  return Uint8Array.from(bytes);
}

function escapeBytes({ opcode: { map } }: Encoding): number[] {
  if (map === 'one-byte') return [];
  if (map === '0f') return [0x0f];
  return [0x0f, map === '0f38' ? 0x38 : 0x3a];
}

function rexPrefix({ encoding, register, rm, forceRex }: Choice, wide: boolean): number[] {
  const high = (number: number | undefined, bit: number) => (number !== undefined && number >= 8 ? bit : 0);
  const usesModRm = encoding.opcode.modrm !== undefined && encoding.opcode.modrmByte === undefined;
  let rex = wide ? 8 : 0;
  if (encoding.opcode.plusRegister) rex |= high(register, 1);
  else if (usesModRm) {
    if (encoding.opcode.modrm === 'r') rex |= high(register, 4);
    rex |= typeof rm === 'number' ? high(rm, 1) : high(rm.base, 1) | high(rm.index, 2);
  }
  return rex !== 0 || forceRex ? [0x40 | rex] : [];
}

function modRm({ encoding, register, rm }: Choice): number[] {
  const { modrm } = encoding.opcode;
  const reg = ((typeof modrm === 'number' ? modrm : register) & 7) << 3;
  if (typeof rm === 'number') return [0xc0 | reg | (rm & 7)];
  if (rm.ripRelative) return [reg | 5, ...littleEndian(BigInt(rm.displacement), 4)];
  const small = rm.displacement >= -128 && rm.displacement < 128;
  const displacement = littleEndian(BigInt(rm.displacement), rm.base !== undefined && small ? 1 : 4);
  const mod = rm.base === undefined ? 0 : small ? 0x40 : 0x80;
  const needsSib = rm.index !== undefined || rm.base === undefined || (rm.base & 7) === 4;
  if (!needsSib) return [mod | reg | (rm.base! & 7), ...displacement];
  const sib = (rm.scale << 6) | (((rm.index ?? 4) & 7) << 3) | ((rm.base ?? 5) & 7);
  return [mod | reg | 4, sib, ...displacement];
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
