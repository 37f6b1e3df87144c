/** Registers by their numbers in an instruction (Intel SDM Vol. 2A §3.1.1.3 "Instruction Column in the Opcode Summary Table"). */
import type { Bits, RegisterClass } from '../operand.ts';

const LEGACY = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];
const LOW_BYTES = ['al', 'cl', 'dl', 'bl', 'spl', 'bpl', 'sil', 'dil'];
/** What 4 to 7 are without REX. */
const HIGH_BYTES = ['ah', 'ch', 'dh', 'bh'];
export const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];

export function generalRegister(number: number, bits: Bits, hasRex: boolean): string {
  if (number >= 8) return `r${number}${{ 8: 'b', 16: 'w', 32: 'd' }[bits as number] ?? ''}`;
  if (bits === 8) return number >= 4 && !hasRex ? HIGH_BYTES[number - 4]! : LOW_BYTES[number]!;
  if (bits === 16) return LEGACY[number]!;
  return `${bits === 32 ? 'e' : 'r'}${LEGACY[number]}`;
}

/** What a register of each class is called, but for general ones. */
const NAMES: Readonly<Record<Exclude<RegisterClass, 'general'>, (number: number) => string>> = {
  // Six there are; for what the other two numbers would be, the manual has no name.
  segment: (number) => SEGMENTS[number & 7] ?? '?',
  control: (number) => `cr${number}`,
  debug: (number) => `dr${number}`,
  // REX has no say in which of these it is.
  mmx: (number) => `mm${number & 7}`,
  xmm: (number) => `xmm${number}`,
  x87: (number) => `st(${number & 7})`,
};

export function registerName(registers: RegisterClass, number: number, bits: Bits, hasRex: boolean): string {
  return registers === 'general' ? generalRegister(number, bits, hasRex) : NAMES[registers](number);
}
