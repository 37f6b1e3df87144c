/**
 * The bits of the x87's status and control words: Intel SDM Vol. 1 §8.1.3 "x87 FPU Status Register" and §8.1.5
 * "x87 FPU Control Word".
 *
 * Every operation takes the control word and returns what it adds to the status word, at the status word's places:
 * exceptions and condition codes, C1 included. Two bits above the words' sixteen are this module's own.
 */

export const INVALID: u32 = 0x01;
export const DENORMAL: u32 = 0x02;
export const ZERO_DIVIDE: u32 = 0x04;
export const OVERFLOW: u32 = 0x08;
export const UNDERFLOW: u32 = 0x10;
export const PRECISION: u32 = 0x20;
export const EXCEPTIONS: u32 = 0x3f;

export const C0: u32 = 0x100;
export const C1: u32 = 0x200;
export const C2: u32 = 0x400;
export const C3: u32 = 0x4000;

/** In what an operation returns: an unmasked exception held the result back. Nothing was written: pop or push nothing. */
export const WITHHELD: u32 = 0x10000;

/** In an operation's control word: its memory operand was a denormal before it was widened. */
export const DENORMAL_OPERAND: u32 = 0x20000;

/** Precision control: 24 bits with neither of them, 53 with the upper; the reserved 01B acts like 11B, 64 bits. */
export const PRECISION_CONTROL: u32 = 0x300;
const FULL_PRECISION: u32 = 0x100;

/** Rounding control, as the two bits say it once shifted down. */
export const RC_SHIFT: u32 = 10;
export const RC_NEAREST: u32 = 0;
export const RC_UP: u32 = 2;
export const RC_TRUNCATE: u32 = 3;

export function isUnmasked(exceptions: u32, control: u32): bool {
  return (exceptions & ~control & EXCEPTIONS) !== 0;
}

/** How many low bits of a significand the precision control cuts off. */
export function cutBits(control: u32): u32 {
  if ((control & FULL_PRECISION) !== 0) return 0;
  return (control & PRECISION_CONTROL) === 0 ? 40 : 11;
}

/** For what rounds to 64 bits whatever the precision control says: all but add, subtract, multiply, divide, root. */
export function atFullPrecision(control: u32): u32 {
  return control | PRECISION_CONTROL;
}
