/**
 * What the meaning of vector instructions is written in: values of 128 bits and lanes of them, beside builder.ts.
 *
 * Operations on all lanes at once have the names of WebAssembly's vector instructions and mean the same (WebAssembly
 * Core Specification 3.0, §4.4.3 "Vector Instructions"); but none of them computes with floating-point numbers, for
 * x86's have flags, rounding modes and NaNs of their own: float-builder.ts.
 */
import type { Value } from './value.ts';

export type IntegerShape = 'i8x16' | 'i16x8' | 'i32x4' | 'i64x2';
type Narrow = 'i8x16' | 'i16x8';
type Compared = 'i8x16' | 'i16x8' | 'i32x4';

export type VectorUnary =
  | 'v128.not'
  | `${IntegerShape}.${'abs' | 'neg'}`
  | `i16x8.extend_${'low' | 'high'}_i8x16_${'s' | 'u'}`
  | `i32x4.extend_${'low' | 'high'}_i16x8_${'s' | 'u'}`
  | `i64x2.extend_${'low' | 'high'}_i32x4_${'s' | 'u'}`
  | `i16x8.extadd_pairwise_i8x16_${'s' | 'u'}`
  | `i32x4.extadd_pairwise_i16x8_${'s' | 'u'}`
  | 'f64x2.convert_low_i32x4_s';

export type VectorBinary =
  | `v128.${'and' | 'andnot' | 'or' | 'xor'}`
  | 'i8x16.swizzle'
  | `${IntegerShape}.${'add' | 'sub' | 'eq' | 'ne' | 'gt_s' | 'lt_s' | 'ge_s' | 'le_s'}`
  | `${Compared}.${'gt_u' | 'lt_u' | 'ge_u' | 'le_u'}`
  | `${Narrow}.${'add_sat_s' | 'add_sat_u' | 'sub_sat_s' | 'sub_sat_u' | 'avgr_u'}`
  | `${Compared}.${'min_s' | 'min_u' | 'max_s' | 'max_u'}`
  | `i8x16.narrow_i16x8_${'s' | 'u'}`
  | `i16x8.narrow_i32x4_${'s' | 'u'}`
  | `${'i16x8' | 'i32x4' | 'i64x2'}.mul`
  | 'i32x4.dot_i16x8_s'
  | 'i16x8.q15mulr_sat_s'
  | `i32x4.extmul_${'low' | 'high'}_i16x8_${'s' | 'u'}`
  | `i64x2.extmul_${'low' | 'high'}_i32x4_${'s' | 'u'}`;

export type VectorShift = `${IntegerShape}.${'shl' | 'shr_s' | 'shr_u'}`;

export interface VectorBuilder {
  /** The lowest byte is the one in the lowest place of memory. */
  constant(value: bigint): Value;
  unary(operation: VectorUnary, a: Value): Value;
  binary(operation: VectorBinary, a: Value, b: Value): Value;
  /** By a count of 32 bits, modulo the width of a lane. */
  shift(operation: VectorShift, a: Value, count: Value): Value;
  /** Bytes of both operands: places 0 to 15 are those of `a`, 16 to 31 those of `b`. */
  shuffle(a: Value, b: Value, places: readonly number[]): Value;
  /** Bits of `ifOne` where `mask` has ones, else of `ifZero`. */
  bitselect(mask: Value, ifOne: Value, ifZero: Value): Value;
  /** A lane, as wide as lanes are. */
  lane(shape: IntegerShape, a: Value, place: number): Value;
  withLane(shape: IntegerShape, a: Value, place: number, value: Value): Value;
  splat(shape: IntegerShape, value: Value): Value;
  /** Each lane's most significant bit, in a value of 32 bits. */
  bitmask(shape: IntegerShape, a: Value): Value;
  /** One bit: whether there is any one. */
  anyTrue(a: Value): Value;
  /** A value of 32 or 64 bits in the lowest lane, and zeros above. */
  zeroExtend(value: Value): Value;

  /** An XMM register by its number. */
  register(number: number): Value;
  setRegister(number: number, value: Value): void;

  /** Raises #MF if an x87 exception is pending, before an instruction uses MMX registers. */
  checkMmx(): void;
  /** After such an instruction the x87 stack is full, and its top is register 0 (Intel SDM Vol. 1 §9.5.1 "MMX Instructions and the x87 FPU Tag Word"). */
  enterMmx(): void;
  /** All x87 registers are empty, and the top is register 0. */
  leaveMmx(): void;
  /**
   * What PCMPESTRI and its like find, a bit for each of the second string's elements: 32 bits. Lengths are of 32 bits
   * and at most as many as elements fit in; `control` is the immediate (Intel SDM Vol. 2B §4.1 "Imm8 Control Byte Operation for PCMPESTRI/PCMPESTRM/PCMPISTRI/PCMPISTRM").
   */
  compareStrings(a: Value, aLength: Value, b: Value, bLength: Value, control: Value): Value;
}
