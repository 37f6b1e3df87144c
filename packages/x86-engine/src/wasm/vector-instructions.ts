/**
 * WebAssembly's vector instructions by their names in the text format: what follows FD (WebAssembly Core Specification
 * 3.0, §5.4.9 "Vector Instructions").
 */
import type { IntegerShape, VectorBinary, VectorShift, VectorUnary } from '@vireo/x86-isa';

export const VECTOR = {
  ...{ load: 0x00, store: 0x0b, const: 0x0c, shuffle: 0x0d, bitselect: 0x52, anyTrue: 0x53 },
} as const;

export const VECTOR_UNARY: Readonly<Record<VectorUnary, number>> = {
  'v128.not': 0x4d,
  ...{ 'i8x16.abs': 0x60, 'i16x8.abs': 0x80, 'i32x4.abs': 0xa0, 'i64x2.abs': 0xc0 },
  ...{ 'i8x16.neg': 0x61, 'i16x8.neg': 0x81, 'i32x4.neg': 0xa1, 'i64x2.neg': 0xc1 },
  ...{ 'i16x8.extadd_pairwise_i8x16_s': 0x7c, 'i16x8.extadd_pairwise_i8x16_u': 0x7d },
  ...{ 'i32x4.extadd_pairwise_i16x8_s': 0x7e, 'i32x4.extadd_pairwise_i16x8_u': 0x7f },
  ...{ 'i16x8.extend_low_i8x16_s': 0x87, 'i16x8.extend_high_i8x16_s': 0x88 },
  ...{ 'i16x8.extend_low_i8x16_u': 0x89, 'i16x8.extend_high_i8x16_u': 0x8a },
  ...{ 'i32x4.extend_low_i16x8_s': 0xa7, 'i32x4.extend_high_i16x8_s': 0xa8 },
  ...{ 'i32x4.extend_low_i16x8_u': 0xa9, 'i32x4.extend_high_i16x8_u': 0xaa },
  ...{ 'i64x2.extend_low_i32x4_s': 0xc7, 'i64x2.extend_high_i32x4_s': 0xc8 },
  ...{ 'i64x2.extend_low_i32x4_u': 0xc9, 'i64x2.extend_high_i32x4_u': 0xca },
  'f64x2.convert_low_i32x4_s': 0xfe,
};

export const VECTOR_BINARY: Readonly<Record<VectorBinary, number>> = {
  ...{ 'v128.and': 0x4e, 'v128.andnot': 0x4f, 'v128.or': 0x50, 'v128.xor': 0x51, 'i8x16.swizzle': 0x0e },
  ...{ 'i8x16.eq': 0x23, 'i8x16.ne': 0x24, 'i16x8.eq': 0x2d, 'i16x8.ne': 0x2e },
  ...{ 'i32x4.eq': 0x37, 'i32x4.ne': 0x38, 'i64x2.eq': 0xd6, 'i64x2.ne': 0xd7 },
  ...{ 'i8x16.lt_s': 0x25, 'i8x16.gt_s': 0x27, 'i8x16.le_s': 0x29, 'i8x16.ge_s': 0x2b },
  ...{ 'i8x16.lt_u': 0x26, 'i8x16.gt_u': 0x28, 'i8x16.le_u': 0x2a, 'i8x16.ge_u': 0x2c },
  ...{ 'i16x8.lt_s': 0x2f, 'i16x8.gt_s': 0x31, 'i16x8.le_s': 0x33, 'i16x8.ge_s': 0x35 },
  ...{ 'i16x8.lt_u': 0x30, 'i16x8.gt_u': 0x32, 'i16x8.le_u': 0x34, 'i16x8.ge_u': 0x36 },
  ...{ 'i32x4.lt_s': 0x39, 'i32x4.gt_s': 0x3b, 'i32x4.le_s': 0x3d, 'i32x4.ge_s': 0x3f },
  ...{ 'i32x4.lt_u': 0x3a, 'i32x4.gt_u': 0x3c, 'i32x4.le_u': 0x3e, 'i32x4.ge_u': 0x40 },
  ...{ 'i64x2.lt_s': 0xd8, 'i64x2.gt_s': 0xd9, 'i64x2.le_s': 0xda, 'i64x2.ge_s': 0xdb },
  ...{ 'i8x16.add': 0x6e, 'i16x8.add': 0x8e, 'i32x4.add': 0xae, 'i64x2.add': 0xce },
  ...{ 'i8x16.sub': 0x71, 'i16x8.sub': 0x91, 'i32x4.sub': 0xb1, 'i64x2.sub': 0xd1 },
  ...{ 'i8x16.add_sat_s': 0x6f, 'i8x16.add_sat_u': 0x70, 'i8x16.sub_sat_s': 0x72, 'i8x16.sub_sat_u': 0x73 },
  ...{ 'i16x8.add_sat_s': 0x8f, 'i16x8.add_sat_u': 0x90, 'i16x8.sub_sat_s': 0x92, 'i16x8.sub_sat_u': 0x93 },
  ...{ 'i8x16.min_s': 0x76, 'i8x16.min_u': 0x77, 'i8x16.max_s': 0x78, 'i8x16.max_u': 0x79 },
  ...{ 'i16x8.min_s': 0x96, 'i16x8.min_u': 0x97, 'i16x8.max_s': 0x98, 'i16x8.max_u': 0x99 },
  ...{ 'i32x4.min_s': 0xb6, 'i32x4.min_u': 0xb7, 'i32x4.max_s': 0xb8, 'i32x4.max_u': 0xb9 },
  ...{ 'i8x16.avgr_u': 0x7b, 'i16x8.avgr_u': 0x9b, 'i16x8.q15mulr_sat_s': 0x82, 'i32x4.dot_i16x8_s': 0xba },
  ...{ 'i8x16.narrow_i16x8_s': 0x65, 'i8x16.narrow_i16x8_u': 0x66 },
  ...{ 'i16x8.narrow_i32x4_s': 0x85, 'i16x8.narrow_i32x4_u': 0x86 },
  ...{ 'i16x8.mul': 0x95, 'i32x4.mul': 0xb5, 'i64x2.mul': 0xd5 },
  ...{ 'i32x4.extmul_low_i16x8_s': 0xbc, 'i32x4.extmul_high_i16x8_s': 0xbd },
  ...{ 'i32x4.extmul_low_i16x8_u': 0xbe, 'i32x4.extmul_high_i16x8_u': 0xbf },
  ...{ 'i64x2.extmul_low_i32x4_s': 0xdc, 'i64x2.extmul_high_i32x4_s': 0xdd },
  ...{ 'i64x2.extmul_low_i32x4_u': 0xde, 'i64x2.extmul_high_i32x4_u': 0xdf },
};

export const VECTOR_SHIFT: Readonly<Record<VectorShift, number>> = {
  ...{ 'i8x16.shl': 0x6b, 'i8x16.shr_s': 0x6c, 'i8x16.shr_u': 0x6d },
  ...{ 'i16x8.shl': 0x8b, 'i16x8.shr_s': 0x8c, 'i16x8.shr_u': 0x8d },
  ...{ 'i32x4.shl': 0xab, 'i32x4.shr_s': 0xac, 'i32x4.shr_u': 0xad },
  ...{ 'i64x2.shl': 0xcb, 'i64x2.shr_s': 0xcc, 'i64x2.shr_u': 0xcd },
};

/** By the shape of the vector; lanes below 32 bits are extracted without a sign. */
export const SPLAT: Readonly<Record<IntegerShape, number>> = {
  ...{ i8x16: 0x0f, i16x8: 0x10, i32x4: 0x11, i64x2: 0x12 },
};
export const EXTRACT_LANE: Readonly<Record<IntegerShape, number>> = {
  ...{ i8x16: 0x16, i16x8: 0x19, i32x4: 0x1b, i64x2: 0x1d },
};
export const REPLACE_LANE: Readonly<Record<IntegerShape, number>> = {
  ...{ i8x16: 0x17, i16x8: 0x1a, i32x4: 0x1c, i64x2: 0x1e },
};
export const ALL_TRUE: Readonly<Record<IntegerShape, number>> = {
  ...{ i8x16: 0x63, i16x8: 0x83, i32x4: 0xa3, i64x2: 0xc3 },
};
export const BITMASK: Readonly<Record<IntegerShape, number>> = {
  ...{ i8x16: 0x64, i16x8: 0x84, i32x4: 0xa4, i64x2: 0xc4 },
};

/** Of floating-point lanes; the engine's only, for x86's operations are more than these. */
export const FLOAT_VECTOR = {
  f32x4: {
    ...{ eq: 0x41, ne: 0x42, lt: 0x43, le: 0x45, abs: 0xe0 },
    ...{ sqrt: 0xe3, add: 0xe4, sub: 0xe5, mul: 0xe6, div: 0xe7, pmin: 0xea, pmax: 0xeb },
  },
  f64x2: {
    ...{ eq: 0x47, ne: 0x48, lt: 0x49, le: 0x4b, abs: 0xec },
    ...{ sqrt: 0xef, add: 0xf0, sub: 0xf1, mul: 0xf2, div: 0xf3, pmin: 0xf6, pmax: 0xf7 },
  },
} as const;
