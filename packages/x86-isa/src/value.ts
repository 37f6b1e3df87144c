/** What semantics compute with: values, and the operands that they come from. */
import type { Bits, Source } from './operand.ts';

declare const VALUE: unique symbol;
/** A bit string that exists when the instruction runs. */
export interface Value {
  readonly [VALUE]: true;
  readonly bits: ValueBits;
}
/** 1: a truth value. */
export type ValueBits = 1 | Bits;

declare const OPERAND: unique symbol;
/** An operand of the instruction at hand. */
export interface Operand {
  readonly [OPERAND]: true;
  readonly bits: Bits;
  readonly source: Source;
  readonly isMemory: boolean;
}
