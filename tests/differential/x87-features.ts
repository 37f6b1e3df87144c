/** Which instructions are x87 instructions, or save and restore its state. */
import type { Variant } from '@vireo/x86-engine/interpreter/variants';

export function isX87({ instruction: { unit } }: Variant): boolean {
  return unit === 'x87' || unit === 'wait' || unit === 'xsave';
}

/** Those whose operand is an XSAVE or FXSAVE area, with its alignment. */
export function areaAlignment({ instruction: { mnemonic } }: Variant): 16 | 64 | undefined {
  if (/^FX(SAVE|RSTOR)/.test(mnemonic)) return 16;
  return /^X(SAVE|RSTOR)/.test(mnemonic) ? 64 : undefined;
}
