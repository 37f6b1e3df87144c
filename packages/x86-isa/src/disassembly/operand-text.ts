/** An instruction's operands in Intel's syntax. */
import type { Decoded } from '../decode.ts';
import { type Bits, bitsOf, type OperandSpec } from '../operand.ts';
import { absoluteText, hex, masked, memoryText, segmented, sized } from './memory-text.ts';
import { generalRegister, registerName } from './register-names.ts';

/** What PCMPESTRI and its like imply is not written. */
const IMPLIES_SILENTLY = /^PCMP[EI]STR[IM]$/;

/** x87 instructions on two registers, of which the table names one: the other is ST. */
const NAMES_ST = /^F(ADD|SUB|SUBR|MUL|DIV|DIVR)P?$|^FCMOV|^FU?COMIP?$/;
/** Opcodes whose result goes to the register that they name. */
const STORES_TO_NAMED: readonly number[] = [0xdc, 0xde];

export function operandTexts(decoded: Decoded, rip: bigint): string[] {
  const texts = decoded.encoding.operands
    .filter((operand) => isWritten(decoded, operand))
    .map((operand) => operandText(decoded, operand, rip));
  const { encoding, instruction, modrm } = decoded;
  if (!NAMES_ST.test(instruction.mnemonic) || typeof modrm?.rm !== 'number' || texts.length !== 1)
    return texts;
  return STORES_TO_NAMED.includes(encoding.opcode.byte) ? [...texts, 'st'] : ['st', ...texts];
}

function isWritten({ instruction }: Decoded, { source, access }: OperandSpec): boolean {
  // What a fence has in ModRM.rm is no operand.
  if (source === 'rm-register' && access === 'address') return instruction.mnemonic === 'NOP';
  return source !== 'implied' || !IMPLIES_SILENTLY.test(instruction.mnemonic);
}

function operandText(decoded: Decoded, operand: OperandSpec, rip: bigint): string {
  const { modrm, vex, opcodeRegister, operandBits } = decoded;
  const immediate = BigInt(decoded.immediate ?? 0);
  const bits = bitsOf(operand.width, operandBits);
  const register = (number: number) => registerText(decoded, operand, number);
  switch (operand.source) {
    case 'reg':
      return register(modrm!.reg);
    case 'vvvv':
      return register(vex!.vvvv);
    case 'opcode':
      return register(opcodeRegister);
    case 'implied':
      // The top of the x87's stack is ST where no other can be meant.
      return operand.registers === 'x87' ? 'st' : register(operand.implied!);
    case 'rm':
    case 'rm-register':
    case 'rm-memory':
      return rmText(decoded, operand);
    case 'implied-memory':
      return sized(impliedMemory(decoded, operand.implied!), decoded, bits);
    case 'offset':
      return absoluteText(decoded, immediate);
    case 'immediate':
      return immediateText(operand, immediate, bits);
    case 'relative':
      return hex(masked(rip + BigInt(decoded.lengthBytes) + immediate, operandBits));
    case 'far-pointer':
      return `${hex(immediate >> 32n)}:${hex(masked(immediate, 32))}`;
  }
}

function immediateText({ implied, encoded }: OperandSpec, immediate: bigint, bits: number): string {
  if (implied !== undefined) return `${implied}`;
  // ENTER's two are one in the table.
  if (encoded === 24) return `${hex(masked(immediate, 16))},${hex(masked(immediate >> 16n, 8))}`;
  return hex(masked(immediate, bits));
}

function rmText(decoded: Decoded, operand: OperandSpec): string {
  const { rm } = decoded.modrm!;
  if (typeof rm === 'number') return registerText(decoded, operand, rm);
  return sized(memoryText(decoded, rm), decoded, bitsOf(operand.width, decoded.operandBits));
}

function registerText(decoded: Decoded, operand: OperandSpec, number: number): string {
  return registerName(operand.registers, number, registerBits(decoded, operand), decoded.hasRex);
}

function registerBits(decoded: Decoded, { registers, width, source }: OperandSpec): Bits {
  const { instruction, encoding, operandBits } = decoded;
  // A selector is of 16 bits in memory, but of the operand size in a register.
  const hasSegment = encoding.operands.some((other) => other.registers === 'segment');
  const hasSelector = hasSegment || /^(LAR|LSL)$/.test(instruction.mnemonic);
  if (hasSelector && registers === 'general' && source.startsWith('rm')) return operandBits;
  // Ports have no more than 32 bits.
  const isPort = /^(IN|OUT)$/.test(instruction.mnemonic);
  return isPort && width === 'v'
    ? bitsOf('v', operandBits === 64 ? 32 : operandBits)
    : bitsOf(width, operandBits);
}

const DS = 3;

function impliedMemory(decoded: Decoded, register: number): string {
  return segmented(`[${generalRegister(register, decoded.addressBits, true)}]`, decoded, DS);
}
