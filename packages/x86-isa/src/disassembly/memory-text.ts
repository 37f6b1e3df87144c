/** Memory operands in Intel's syntax: `QWORD PTR fs:[rbx+rcx*4+0x10]`. */
import type { MemoryForm } from '../address-form.ts';
import type { Decoded } from '../decode.ts';
import type { Bits } from '../operand.ts';
import { generalRegister, SEGMENTS } from './register-names.ts';

const SIZES: Readonly<Record<Bits, string>> = {
  ...{ 8: 'BYTE', 16: 'WORD', 32: 'DWORD', 64: 'QWORD', 80: 'TBYTE', 128: 'XMMWORD' },
};

/** LEA wants an address only, others have areas of a format of their own, and of LDDQU objdump does not say it. */
const WITHOUT_SIZE =
  /^(LEA|LDDQU|INVPCID|[LS][GI]DT|F?X(SAVE|RSTOR)(|64|C|C64|OPT|OPT64|S|S64)|FN?SAVE|FRSTOR|FN?STENV|FLDENV)$/;
const FAR_LOADS = new Set(['LDS', 'LES', 'LFS', 'LGS', 'LSS']);

export const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** With the size before it, if it has one. */
export function sized(text: string, decoded: Decoded, bits: Bits): string {
  const size = sizeOf(decoded, bits);
  return size === undefined ? text : `${size} PTR ${text}`;
}

function sizeOf(decoded: Decoded, bits: Bits): string | undefined {
  const { instruction, encoding, operandBits } = decoded;
  if (WITHOUT_SIZE.test(instruction.mnemonic)) return undefined;
  if (instruction.mnemonic === 'INVLPG') return SIZES[8];
  // A lower and an upper bound.
  if (instruction.mnemonic === 'BOUND') return operandBits === 16 ? SIZES[32] : SIZES[64];
  if (isFar(decoded)) return operandBits === 16 ? 'DWORD' : 'FWORD';
  // What general registers are compared with (CMPXCHG16B) is no vector.
  const isVector = bits === 128 && encoding.operands.some(({ registers }) => registers === 'xmm');
  return bits === 128 && !isVector ? 'OWORD' : SIZES[bits];
}

/** A selector and an offset are in memory. */
function isFar({ instruction, encoding: { opcode } }: Decoded): boolean {
  const isGroup5 = opcode.map === 'one-byte' && opcode.byte === 0xff;
  return FAR_LOADS.has(instruction.mnemonic) || (isGroup5 && (opcode.modrm === 3 || opcode.modrm === 5));
}

/** `fs:[rax]`, or with what the instruction uses when none is said. */
export function segmented(text: string, { segment }: Decoded, implied?: number): string {
  const number = segment ?? implied;
  return number === undefined ? text : `${SEGMENTS[number]}:${text}`;
}

/** What has no register in it says its segment always. */
export function memoryText(decoded: Decoded, form: MemoryForm): string {
  const { addressBits } = decoded;
  const registers = registerTerms(decoded, form);
  if (registers.length === 0) return absoluteText(decoded, BigInt(form.displacement));
  if (form.ripRelative) registers.push(`+${hex(masked(BigInt(form.displacement), addressBits))}`);
  else if (hasDisplacement(decoded, form)) registers.push(signed(form.displacement));
  return segmented(`[${registers.join('')}]`, decoded);
}

const DS = 3;

export function absoluteText(decoded: Decoded, address: bigint): string {
  return segmented(hex(masked(address, decoded.addressBits)), decoded, DS);
}

export function masked(value: bigint, bits: number): bigint {
  return BigInt.asUintN(bits, value);
}

function registerTerms(decoded: Decoded, form: MemoryForm): string[] {
  const { addressBits } = decoded;
  const name = (number: number) => generalRegister(number, addressBits, true);
  if (form.ripRelative) return [addressBits === 64 ? 'rip' : 'eip'];
  const base = form.base === undefined ? [] : [name(form.base)];
  const index = form.index === undefined ? noIndex(decoded, form) : name(form.index);
  if (index === undefined) return base;
  const scaled = addressBits === 16 ? index : `${index}*${1 << form.scale}`;
  return base.length === 0 ? [scaled] : [...base, `+${scaled}`];
}

/**
 * A SIB byte without an index, where there need not be one: `riz`, so that other bytes are other text. 64-bit mode needs
 * one for an address without any register.
 */
function noIndex({ modrm, addressBits }: Decoded, { base, scale }: MemoryForm): string | undefined {
  const hasSib = addressBits !== 16 && (modrm!.byte & 7) === 4;
  const needsSib = base === undefined ? addressBits === 64 : (base & 7) === 4;
  if (!hasSib || (needsSib && scale === 0)) return undefined;
  return addressBits === 64 ? 'riz' : 'eiz';
}

/** Where there is one in the instruction, be it zero. */
function hasDisplacement({ modrm }: Decoded, { base }: MemoryForm): boolean {
  return modrm!.byte >= 0x40 || base === undefined;
}

function signed(displacement: number): string {
  return displacement < 0 ? `-${hex(-displacement)}` : `+${hex(displacement)}`;
}
