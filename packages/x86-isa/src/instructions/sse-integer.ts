/**
 * Arithmetic, comparison and logic on lanes of integers (Intel SDM Vol. 1 §11.4.2 "SSE2 64-Bit and 128-Bit SIMD Integer
 * Instructions", §12.6 "SSSE3 Instructions", §12.10 "SSE4.1 Instruction Set"). What depends on its own lane only is the
 * same for MMX registers (mmx.ts).
 */
import type { Builder, Value } from '../builder.ts';
import type { Instruction } from '../instruction.ts';
import type { IntegerShape, VectorBinary } from '../vector-builder.ts';
import {
  joinLow,
  lanesOf,
  type Row,
  repeated,
  type VectorFunction,
  xmmRow,
  xmmUnaryRow,
} from './sse-rows.ts';

const lanewise =
  (operation: VectorBinary): VectorFunction =>
  ({ vector }, a, b) =>
    vector.binary(operation, a, b);

/** Words 0, 2, 4 … of both, or 1, 3, 5 …: the first one's below. */
function everyOther({ vector }: Builder, bytes: 2 | 4, odd: boolean, a: Value, b: Value): Value {
  const places = Array.from({ length: 16 }, (_, at) => Math.floor(at / bytes) * 2 * bytes + (at % bytes));
  return vector.shuffle(a, b, odd ? places.map((place) => place + bytes) : places);
}

/** PMULHW, PMULHUW: the upper halves of products. */
function multiplyHigh(sign: 's' | 'u'): VectorFunction {
  return (e, a, b) => {
    const low = e.vector.binary(`i32x4.extmul_low_i16x8_${sign}`, a, b);
    const high = e.vector.binary(`i32x4.extmul_high_i16x8_${sign}`, a, b);
    return everyOther(e, 2, true, low, high);
  };
}

/** PMULUDQ, PMULDQ: of the even doublewords. */
function multiplyEven(sign: 's' | 'u'): VectorFunction {
  return (e, a, b) => {
    const even = (x: Value) => everyOther(e, 4, false, x, x);
    return e.vector.binary(`i64x2.extmul_low_i32x4_${sign}`, even(a), even(b));
  };
}

/** PSADBW: the sums of eight differences each. */
function sumDifferences({ vector }: Builder, a: Value, b: Value): Value {
  const difference = vector.binary(
    'v128.or',
    vector.binary('i8x16.sub_sat_u', a, b),
    vector.binary('i8x16.sub_sat_u', b, a),
  );
  const words = vector.unary('i16x8.extadd_pairwise_i8x16_u', difference);
  const doublewords = vector.unary('i32x4.extadd_pairwise_i16x8_u', words);
  const upper = vector.shift('i64x2.shr_u', doublewords, vector.lane('i32x4', vector.constant(32n), 0));
  const sums = vector.binary('i32x4.add', doublewords, upper);
  return vector.binary('v128.and', sums, vector.constant(repeated(64, 0xffff_ffff)));
}

/** PMADDUBSW: the first operand's bytes are unsigned, the second's signed. */
function multiplyAddBytes(e: Builder, a: Value, b: Value): Value {
  const { vector } = e;
  const products = (half: 'low' | 'high') =>
    vector.binary(
      'i16x8.mul',
      vector.unary(`i16x8.extend_${half}_i8x16_u`, a),
      vector.unary(`i16x8.extend_${half}_i8x16_s`, b),
    );
  const [low, high] = [products('low'), products('high')];
  return vector.binary(
    'i16x8.add_sat_s',
    everyOther(e, 2, false, low, high),
    everyOther(e, 2, true, low, high),
  );
}

/** PMULHRSW. WebAssembly saturates -1 · -1, which x86 leaves as -1. */
function multiplyRound({ vector }: Builder, a: Value, b: Value): Value {
  const product = vector.binary('i16x8.q15mulr_sat_s', a, b);
  const least = vector.constant(repeated(16, 0x8000));
  const isBoth = vector.binary(
    'v128.and',
    vector.binary('i16x8.eq', a, least),
    vector.binary('i16x8.eq', b, least),
  );
  return vector.bitselect(isBoth, least, product);
}

/** PSIGN: negated, kept or cleared, as the second operand's lane is negative, positive or 0. */
function sign(shape: 'i8x16' | 'i16x8' | 'i32x4'): VectorFunction {
  return ({ vector }, a, b) => {
    const zero = vector.constant(0n);
    const negated = vector.bitselect(
      vector.binary(`${shape}.lt_s`, b, zero),
      vector.unary(`${shape}.neg`, a),
      a,
    );
    return vector.binary('v128.andnot', negated, vector.binary(`${shape}.eq`, b, zero));
  };
}

/** The first operand's ones are taken out of the second. */
const andNot: VectorFunction = ({ vector }, a, b) => vector.binary('v128.andnot', b, a);

/** MMX and SSE2. */
export const MMX_ROWS: readonly Row[] = [
  ['PADDB', '0F FC', lanewise('i8x16.add')],
  ['PADDW', '0F FD', lanewise('i16x8.add')],
  ['PADDD', '0F FE', lanewise('i32x4.add')],
  ['PADDSB', '0F EC', lanewise('i8x16.add_sat_s')],
  ['PADDSW', '0F ED', lanewise('i16x8.add_sat_s')],
  ['PADDUSB', '0F DC', lanewise('i8x16.add_sat_u')],
  ['PADDUSW', '0F DD', lanewise('i16x8.add_sat_u')],
  ['PSUBB', '0F F8', lanewise('i8x16.sub')],
  ['PSUBW', '0F F9', lanewise('i16x8.sub')],
  ['PSUBD', '0F FA', lanewise('i32x4.sub')],
  ['PSUBSB', '0F E8', lanewise('i8x16.sub_sat_s')],
  ['PSUBSW', '0F E9', lanewise('i16x8.sub_sat_s')],
  ['PSUBUSB', '0F D8', lanewise('i8x16.sub_sat_u')],
  ['PSUBUSW', '0F D9', lanewise('i16x8.sub_sat_u')],
  ['PMULLW', '0F D5', lanewise('i16x8.mul')],
  ['PMULHW', '0F E5', multiplyHigh('s')],
  ['PMADDWD', '0F F5', lanewise('i32x4.dot_i16x8_s')],
  ['PCMPEQB', '0F 74', lanewise('i8x16.eq')],
  ['PCMPEQW', '0F 75', lanewise('i16x8.eq')],
  ['PCMPEQD', '0F 76', lanewise('i32x4.eq')],
  ['PCMPGTB', '0F 64', lanewise('i8x16.gt_s')],
  ['PCMPGTW', '0F 65', lanewise('i16x8.gt_s')],
  ['PCMPGTD', '0F 66', lanewise('i32x4.gt_s')],
  ['PAND', '0F DB', lanewise('v128.and')],
  ['PANDN', '0F DF', andNot],
  ['POR', '0F EB', lanewise('v128.or')],
  ['PXOR', '0F EF', lanewise('v128.xor')],
];

/** SSE on MMX registers, SSE2 on XMM registers. */
export const SSE_ROWS: readonly Row[] = [
  ['PMULHUW', '0F E4', multiplyHigh('u')],
  ['PAVGB', '0F E0', lanewise('i8x16.avgr_u')],
  ['PAVGW', '0F E3', lanewise('i16x8.avgr_u')],
  ['PSADBW', '0F F6', sumDifferences],
  ['PMINUB', '0F DA', lanewise('i8x16.min_u')],
  ['PMAXUB', '0F DE', lanewise('i8x16.max_u')],
  ['PMINSW', '0F EA', lanewise('i16x8.min_s')],
  ['PMAXSW', '0F EE', lanewise('i16x8.max_s')],
];

/** SSE2 on both. */
export const SSE2_ROWS: readonly Row[] = [
  ['PADDQ', '0F D4', lanewise('i64x2.add')],
  ['PSUBQ', '0F FB', lanewise('i64x2.sub')],
  ['PMULUDQ', '0F F4', multiplyEven('u')],
];

export const SSSE3_ROWS: readonly Row[] = [
  ['PSIGNB', '0F 38 08', sign('i8x16')],
  ['PSIGNW', '0F 38 09', sign('i16x8')],
  ['PSIGND', '0F 38 0A', sign('i32x4')],
  ['PMULHRSW', '0F 38 0B', multiplyRound],
  ['PMADDUBSW', '0F 38 04', multiplyAddBytes],
];

const SSE41_ROWS: readonly Row[] = [
  ['PMULDQ', '0F 38 28', multiplyEven('s')],
  ['PCMPEQQ', '0F 38 29', lanewise('i64x2.eq')],
  ['PACKUSDW', '0F 38 2B', lanewise('i16x8.narrow_i32x4_u')],
  ['PMINSB', '0F 38 38', lanewise('i8x16.min_s')],
  ['PMINSD', '0F 38 39', lanewise('i32x4.min_s')],
  ['PMINUW', '0F 38 3A', lanewise('i16x8.min_u')],
  ['PMINUD', '0F 38 3B', lanewise('i32x4.min_u')],
  ['PMAXSB', '0F 38 3C', lanewise('i8x16.max_s')],
  ['PMAXSD', '0F 38 3D', lanewise('i32x4.max_s')],
  ['PMAXUW', '0F 38 3E', lanewise('i16x8.max_u')],
  ['PMAXUD', '0F 38 3F', lanewise('i32x4.max_u')],
  ['PMULLD', '0F 38 40', lanewise('i32x4.mul')],
];

/** Bitwise logic that the manual has for floating-point registers: the same. */
const FLOAT_LOGIC_ROWS = (suffix: string): readonly Row[] => [
  [`AND${suffix}`, '0F 54', lanewise('v128.and')],
  [`ANDN${suffix}`, '0F 55', andNot],
  [`OR${suffix}`, '0F 56', lanewise('v128.or')],
  [`XOR${suffix}`, '0F 57', lanewise('v128.xor')],
];

/** Mnemonic, opcode after 0F 38, shape of its lanes. */
export const ABSOLUTE_ROWS: readonly (readonly [string, string, IntegerShape])[] = [
  ['PABSB', '0F 38 1C', 'i8x16'],
  ['PABSW', '0F 38 1D', 'i16x8'],
  ['PABSD', '0F 38 1E', 'i32x4'],
];

/** Horizontal sums and differences: of neighbours, the first operand's below the second's. */
export type Horizontal = 'add' | 'sub' | 'add_sat_s' | 'sub_sat_s';
export const HORIZONTAL_ROWS: readonly (readonly [string, string, 2 | 4, Horizontal])[] = [
  ['PHADDW', '0F 38 01', 2, 'add'],
  ['PHADDD', '0F 38 02', 4, 'add'],
  ['PHADDSW', '0F 38 03', 2, 'add_sat_s'],
  ['PHSUBW', '0F 38 05', 2, 'sub'],
  ['PHSUBD', '0F 38 06', 4, 'sub'],
  ['PHSUBSW', '0F 38 07', 2, 'sub_sat_s'],
];

export function horizontal(bytes: 2 | 4, operation: Horizontal): VectorFunction {
  const of = (bytes === 4 ? `i32x4.${operation}` : `i16x8.${operation}`) as VectorBinary;
  return (e, a, b) =>
    e.vector.binary(of, everyOther(e, bytes, false, a, b), everyOther(e, bytes, true, a, b));
}

/** Intel SDM Vol. 2B "PHMINPOSUW—Packed Horizontal Word Minimum": the least word, and the place of the first such. */
const PHMINPOSUW = xmmUnaryRow('PHMINPOSUW', '66 0F 38 41', 'SSE4.1', (e, a) => {
  const { vector } = e;
  const three = e.constant(32, 3);
  const keys = (half: 'low' | 'high', places: readonly number[]) => {
    const words = vector.unary(`i32x4.extend_${half}_i16x8_u`, a);
    return vector.binary(
      'v128.or',
      vector.shift('i32x4.shl', words, three),
      vector.constant(lanesOf(32, places)),
    );
  };
  let least = vector.binary('i32x4.min_u', keys('low', [0, 1, 2, 3]), keys('high', [4, 5, 6, 7]));
  for (const distance of [8, 4]) {
    const others = Array.from({ length: 16 }, (_, at) => (at + distance) % 16);
    least = vector.binary('i32x4.min_u', least, vector.shuffle(least, least, others));
  }
  const key = vector.lane('i32x4', least, 0);
  const place = e.shift('shl', e.binary('and', key, e.constant(32, 7)), e.constant(32, 16));
  return vector.zeroExtend(e.binary('or', e.shift('shr', key, three), place));
});

export const SSE_INTEGER: readonly Instruction[] = [
  ...[...MMX_ROWS, ...SSE_ROWS, ...SSE2_ROWS].map((row) => xmmRow(row, 'SSE2')),
  ...SSSE3_ROWS.map((row) => xmmRow(row, 'SSSE3')),
  ...SSE41_ROWS.map((row) => xmmRow(row, 'SSE4.1')),
  xmmRow(['PCMPGTQ', '0F 38 37', lanewise('i64x2.gt_s')], 'SSE4.2'),
  ...FLOAT_LOGIC_ROWS('PS').map((row) => xmmRow(row, 'SSE', 'NP')),
  ...FLOAT_LOGIC_ROWS('PD').map((row) => xmmRow(row, 'SSE2')),
  ...ABSOLUTE_ROWS.map(([mnemonic, opcode, shape]) =>
    xmmUnaryRow(mnemonic, `66 ${opcode}`, 'SSSE3', ({ vector }, a) => vector.unary(`${shape}.abs`, a)),
  ),
  ...HORIZONTAL_ROWS.map(([mnemonic, opcode, bytes, operation]) =>
    xmmRow([mnemonic, opcode, horizontal(bytes, operation)], 'SSSE3'),
  ),
  PHMINPOSUW,
];

/** What an MMX instruction computes that takes both operands' lanes to one vector: of the low halves, joined. */
export function joined(compute: VectorFunction): VectorFunction {
  return (e, a, b) => {
    const both = joinLow(e, a, b);
    return compute(e, both, both);
  };
}
