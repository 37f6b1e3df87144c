/**
 * Alignment checks (Intel SDM Vol. 3A §6.15 "Interrupt 17—Alignment Check Exception (#AC)"): at privilege level 3, with
 * CR0.AM and RFLAGS.AC. While they are on, the interpreter's TLB is one that is always empty, so that each access comes
 * here; while they are off, they cost nothing.
 */
import { CR0 } from '../system/control-registers.ts';
import { type Processor, privilegeLevel, RFLAGS } from '../system/processor.ts';

const X87_ENVIRONMENT = /^F(NSTENV|LDENV|NSAVE|RSTOR)/;
/** They have rules of their own, which their handlers check: #GP, whatever RFLAGS.AC says. */
const CHECKED_BY_THEMSELVES = /^(FX|X)(SAVE|RSTOR)/;

export function checksAlignment(processor: Processor, rflags: bigint): boolean {
  const isOn = (processor.special.cr0 & CR0.AM) !== 0n && (rflags & RFLAGS.AC) !== 0n;
  return isOn && privilegeLevel(processor) === 3;
}

/** Table 6-7 "Alignment Requirements by Data Type". @returns a power of 2 */
export function requiredAlignment(mnemonic: string, operandBits: number, lengthBytes: number): number {
  // Blocks come a page's part at a time.
  if (X87_ENVIRONMENT.test(mnemonic)) return operandBits === 16 ? 2 : 4;
  // As AMD's processors have it: what is stored are bytes.
  if (mnemonic === 'MASKMOVDQU') return 8;
  return CHECKED_BY_THEMSELVES.test(mnemonic) ? 1 : alignmentOfLength(lengthBytes);
}

/** A number of 80 bits wants what one of 64 does. */
export function alignmentOfLength(lengthBytes: number): number {
  return 2 ** Math.floor(Math.log2(lengthBytes));
}

export const isMisaligned = (gva: bigint, alignment: number): boolean => (gva & BigInt(alignment - 1)) !== 0n;
