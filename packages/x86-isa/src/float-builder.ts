/**
 * What the meaning of floating-point instructions is written in, beside builder.ts and vector-builder.ts. Operations
 * compute as MXCSR says and leave their exceptions in it; one that is not masked ends the instruction with #XM before
 * its destination is written (Intel SDM Vol. 1 §11.5 "SSE, SSE2, and SSE3 Exceptions"). So all of an instruction's operations
 * come before `settle`, and what it writes comes after.
 *
 * Values are bit strings: single precision of 32 bits, double of 64, vectors of either of 128.
 */
import type { Value } from './value.ts';

export type FloatShape = 'f32' | 'f64' | 'f32x4' | 'f64x2';
export type FloatBinary = 'add' | 'sub' | 'mul' | 'div' | 'min' | 'max';
export type FloatBits = 32 | 64;

export interface FloatBuilder {
  binary(operation: FloatBinary, shape: FloatShape, a: Value, b: Value): Value;
  sqrt(shape: FloatShape, a: Value): Value;
  /** Ones where the predicate holds, by the low three bits of a value of 8 bits (Intel SDM Vol. 2A "CMPPD—Compare Packed Double-Precision Floating-Point Values", Table 3-1). */
  compare(shape: FloatShape, a: Value, b: Value, predicate: Value): Value;
  /** ZF, PF and CF as COMISS sets them, at their places in RFLAGS, in 32 bits. `quiet`: as UCOMISS does. */
  order(bits: FloatBits, a: Value, b: Value, quiet: boolean): Value;
  /** To an integer in the same format, by the low four bits of a value of 8 bits (Intel SDM Vol. 2B "ROUNDPD—Round Packed Double Precision Floating-Point Values", Table 4-19). */
  round(shape: FloatShape, a: Value, control: Value): Value;
  /** The other format. */
  resize(a: Value, bits: FloatBits): Value;
  /** From a signed integer of 32 or 64 bits. */
  fromInteger(a: Value, bits: FloatBits): Value;
  toInteger(a: Value, bits: FloatBits, truncate: boolean): Value;
  /** The approximations RCPSS and RSQRTSS, of single precision. */
  approximate(operation: 'reciprocal' | 'reciprocal-root', a: Value): Value;
  settle(): void;
  readControl(): Value;
  /** MXCSR, of 32 bits. Raises #GP if a reserved one is set. */
  writeControl(value: Value): void;
}
