/** Intel SDM Vol. 1 §8.3.7 "Trigonometric Instructions", §8.3.9 "Logarithmic, Exponential, and Scale". */
import type { Instruction } from '../instruction.ts';
import type { X87Binary } from '../x87-builder.ts';
import { popAfter, x87Implied } from './x87-rows.ts';

/** Of y in ST(1) and x in ST(0), which goes. */
const ofTwo = (mnemonic: string, notation: string, operation: X87Binary): Instruction =>
  x87Implied(mnemonic, notation, (e) => popAfter(e, e.x87.binary(operation, 1, 1, 0)));

export const X87_TRANSCENDENTAL: readonly Instruction[] = [
  x87Implied('F2XM1', 'D9 F0', (e) => e.x87.unary('f2xm1')),
  ofTwo('FYL2X', 'D9 F1', 'fyl2x'),
  x87Implied('FPTAN', 'D9 F2', (e) => e.x87.split('fptan')),
  ofTwo('FPATAN', 'D9 F3', 'fpatan'),
  ofTwo('FYL2XP1', 'D9 F9', 'fyl2xp1'),
  x87Implied('FSINCOS', 'D9 FB', (e) => e.x87.split('fsincos')),
  x87Implied('FSIN', 'D9 FE', (e) => e.x87.unary('fsin')),
  x87Implied('FCOS', 'D9 FF', (e) => e.x87.unary('fcos')),
];
