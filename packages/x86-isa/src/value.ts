/** What semantics compute with. */
import type { Bits } from './operand.ts';

declare const VALUE: unique symbol;
/** A bit string that exists when the instruction runs. */
export interface Value {
  readonly [VALUE]: true;
  readonly bits: ValueBits;
}
/** 1: a truth value. */
export type ValueBits = 1 | Bits;
