/**
 * Lanes put elsewhere: packing, unpacking, shuffles and blends (Intel SDM Vol. 1 §11.4.1.4 "SSE2
 * Shuffle and Unpack Instructions", §12.10.4 "Packed Blending Instructions").
 */
import type { Builder, Value } from '../builder.ts';
import { enc, type Instruction, instruction } from '../instruction.ts';
import { r, rw, w } from '../operand.ts';
import type { IntegerShape } from '../vector-builder.ts';
import {
  lanesOf,
  move,
  type Row,
  repeated,
  type VectorFunction,
  xmmImmediateRow,
  xmmRow,
  xmmUnaryRow,
} from './sse-rows.ts';

/** 0, 1, 2 … 15. */
export const IOTA = lanesOf(
  8,
  Array.from({ length: 16 }, (_, at) => at),
);

/** Lanes of both in turn, from the low halves or the high ones. */
export function interleave(bytes: number, half: 'low' | 'high'): VectorFunction {
  const places = Array.from({ length: 16 }, (_, at) => {
    const lane = Math.floor(at / bytes);
    const place = Math.floor(lane / 2) * bytes + (at % bytes) + (half === 'high' ? 8 : 0);
    return lane % 2 === 0 ? place : place + 16;
  });
  return ({ vector }, a, b) => vector.shuffle(a, b, places);
}

export const PACK_ROWS: readonly Row[] = [
  ['PACKSSWB', '0F 63', ({ vector }, a, b) => vector.binary('i8x16.narrow_i16x8_s', a, b)],
  ['PACKUSWB', '0F 67', ({ vector }, a, b) => vector.binary('i8x16.narrow_i16x8_u', a, b)],
  ['PACKSSDW', '0F 6B', ({ vector }, a, b) => vector.binary('i16x8.narrow_i32x4_s', a, b)],
];

export const UNPACK_ROWS: readonly (readonly [string, string, number, 'low' | 'high'])[] = [
  ['PUNPCKLBW', '0F 60', 1, 'low'],
  ['PUNPCKLWD', '0F 61', 2, 'low'],
  ['PUNPCKLDQ', '0F 62', 4, 'low'],
  ['PUNPCKHBW', '0F 68', 1, 'high'],
  ['PUNPCKHWD', '0F 69', 2, 'high'],
  ['PUNPCKHDQ', '0F 6A', 4, 'high'],
];

/** A byte in all bytes, plus 0, 1, 2 …, at most 255: places counted from that byte on. */
export function placesFrom(e: Builder, first: Value): Value {
  return e.vector.binary('i8x16.add_sat_u', e.vector.constant(IOTA), e.vector.splat('i8x16', first));
}

/** Intel SDM Vol. 2B "PALIGNR—Packed Align Right": 16 bytes of both, the first one's above. */
const alignRight = (e: Builder, a: Value, b: Value, count: Value): Value => {
  const { vector } = e;
  const places = placesFrom(e, count);
  const above = vector.binary('i8x16.sub', places, vector.constant(repeated(8, 16)));
  return vector.binary(
    'v128.or',
    vector.binary('i8x16.swizzle', b, places),
    vector.binary('i8x16.swizzle', a, above),
  );
};

/** PSHUFB: a set top bit makes a 0. Of XMM registers there are 16 places, of MMX registers 8. */
export const shuffleBytes =
  (count: 16 | 8): VectorFunction =>
  ({ vector }, a, b) => {
    const places = vector.binary('v128.and', b, vector.constant(repeated(8, 0x80 | (count - 1))));
    return vector.binary('i8x16.swizzle', a, places);
  };

/**
 * Byte places from two bits of an immediate for each lane. `first` is where the four lanes are that are picked from, of
 * `bits` each; `fixed` are the places for the rest of the vector.
 */
export function immediatePlaces(
  e: Builder,
  immediate: Value,
  shape: 'i32x4' | 'i16x8',
  part: 'low' | 'high',
): Value {
  const { vector } = e;
  const bits = shape === 'i32x4' ? 32 : 16;
  const scales = [64, 16, 4, 1];
  const rest = shape === 'i32x4' ? [] : [0, 0, 0, 0];
  const factors = part === 'low' ? [...scales, ...rest] : [...rest, ...scales];
  const spread = vector.binary(
    `${shape}.mul`,
    vector.splat(shape, e.zeroExtend(immediate, bits)),
    vector.constant(lanesOf(bits, factors)),
  );
  const shifted = vector.shift(`${shape}.shr_u`, spread, e.constant(32, 6));
  const picks = vector.binary('v128.and', shifted, vector.constant(repeated(bits, 3)));
  const scaled = vector.binary(
    `${shape}.mul`,
    picks,
    vector.constant(repeated(bits, bits === 32 ? 0x04040404 : 0x0202)),
  );
  return vector.binary(`${shape}.add`, scaled, vector.constant(firstPlaces(shape, part)));
}

/** The places of lane 0 (or 4) where lanes are picked, of the lane itself elsewhere. */
function firstPlaces(shape: 'i32x4' | 'i16x8', part: 'low' | 'high'): bigint {
  if (shape === 'i32x4') return lanesOf(32, [0x03020100, 0x03020100, 0x03020100, 0x03020100]);
  const own = [0x0100, 0x0302, 0x0504, 0x0706, 0x0908, 0x0b0a, 0x0d0c, 0x0f0e];
  const picked = part === 'low' ? own[0]! : own[4]!;
  return lanesOf(
    16,
    own.map((place, lane) => ((part === 'low') === lane < 4 ? picked : place)),
  );
}

function shuffleRow(
  mnemonic: string,
  notation: string,
  shape: 'i32x4' | 'i16x8',
  part: 'low' | 'high',
): Instruction {
  return instruction(mnemonic, {
    encodings: [enc('RMI', `${notation} /r ib`, w('x'), r('xm128'), r('imm8'))],
    feature: 'SSE2',
    semantics(e, destination, source, immediate) {
      const value = e.read(source!);
      const places = immediatePlaces(e, e.read(immediate!), shape, part);
      e.write(destination!, e.vector.binary('i8x16.swizzle', value, places));
    },
  });
}

/** Intel SDM Vol. 2B "SHUFPS—Packed Interleave Shuffle of Quadruplets of Single Precision Floating-Point Values". */
const SHUFPS = xmmImmediateRow('SHUFPS', 'NP 0F C6', 'SSE', (e, a, b, immediate) => {
  const places = immediatePlaces(e, immediate, 'i32x4', 'low');
  const pick = (from: Value) => e.vector.binary('i8x16.swizzle', from, places);
  return e.vector.shuffle(pick(a), pick(b), [0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31]);
});

/** Intel SDM Vol. 2B "SHUFPD—Packed Interleave Shuffle of Pairs of Double Precision Floating-Point Values". */
const SHUFPD = xmmImmediateRow('SHUFPD', '66 0F C6', 'SSE2', (e, a, b, immediate) => {
  const bit = (place: number) => e.truncate(e.shift('shr', immediate, e.constant(8, place)), 1);
  const pick = (from: Value, place: number) =>
    e.select(bit(place), e.vector.lane('i64x2', from, 1), e.vector.lane('i64x2', from, 0));
  return e.vector.withLane('i64x2', e.vector.zeroExtend(pick(a, 0)), 1, pick(b, 1));
});

/** Ones in the lanes whose bit an immediate has set. */
export function immediateMask(
  { vector }: Builder,
  immediate: Value,
  shape: 'i16x8' | 'i32x4' | 'i64x2',
  e: Builder,
): Value {
  const bits = shape === 'i16x8' ? 16 : shape === 'i32x4' ? 32 : 64;
  const flags = vector.constant(
    lanesOf(
      bits,
      Array.from({ length: 128 / bits }, (_, lane) => 1 << lane),
    ),
  );
  const chosen = vector.binary('v128.and', vector.splat(shape, e.zeroExtend(immediate, bits)), flags);
  return vector.binary(`${shape}.eq`, chosen, flags);
}

const blendRow = (mnemonic: string, opcode: string, shape: 'i16x8' | 'i32x4' | 'i64x2') =>
  xmmImmediateRow(mnemonic, opcode, 'SSE4.1', (e, a, b, immediate) =>
    e.vector.bitselect(immediateMask(e, immediate, shape, e), b, a),
  );

/** By the signs of lanes of XMM0. */
function variableBlend(mnemonic: string, opcode: string, shape: IntegerShape): Instruction {
  return instruction(mnemonic, {
    encodings: [enc('RM0', `66 0F 38 ${opcode} /r`, rw('x'), r('xm128'), r('xmm0'))],
    feature: 'SSE4.1',
    semantics(e, destination, source, mask) {
      const b = e.read(source!);
      const isChosen = e.vector.binary(`${shape}.lt_s`, e.read(mask!), e.vector.constant(0n));
      e.write(destination!, e.vector.bitselect(isChosen, b, e.read(destination!)));
    },
  });
}

/** PMOVSXBW and so on: lanes from the low end, made wider. */
const EXTENSIONS: readonly (readonly [string, number, 'xm64' | 'xm32' | 'xm16', readonly string[]])[] = [
  ['BW', 0, 'xm64', ['i16x8.extend_low_i8x16']],
  ['BD', 1, 'xm32', ['i16x8.extend_low_i8x16', 'i32x4.extend_low_i16x8']],
  ['BQ', 2, 'xm16', ['i16x8.extend_low_i8x16', 'i32x4.extend_low_i16x8', 'i64x2.extend_low_i32x4']],
  ['WD', 3, 'xm64', ['i32x4.extend_low_i16x8']],
  ['WQ', 4, 'xm32', ['i32x4.extend_low_i16x8', 'i64x2.extend_low_i32x4']],
  ['DQ', 5, 'xm64', ['i64x2.extend_low_i32x4']],
];
type Extension = 'i16x8.extend_low_i8x16' | 'i32x4.extend_low_i16x8' | 'i64x2.extend_low_i32x4';

const extensions = (mnemonic: string, row: number, sign: 's' | 'u'): Instruction[] =>
  EXTENSIONS.map(([suffix, place, source, steps]) =>
    xmmUnaryRow(
      mnemonic + suffix,
      `66 0F 38 ${row + place}`,
      'SSE4.1',
      ({ vector }, a) =>
        steps.reduce((value, step) => vector.unary(`${step as Extension}_${sign}`, value), a),
      source,
    ),
  );

/** Intel SDM Vol. 2B "MPSADBW—Compute Multiple Packed Sums of Absolute Difference". */
const MPSADBW = xmmImmediateRow('MPSADBW', '66 0F 3A 42', 'SSE4.1', (e, a, b, immediate) => {
  const { vector } = e;
  const block = (mask: number, place: number) =>
    e.shift(
      'shl',
      e.shift('shr', e.binary('and', immediate, e.constant(8, mask)), e.constant(8, place)),
      e.constant(8, 2),
    );
  const [first, second] = [block(4, 2), block(3, 0)];
  let sums = vector.constant(0n);
  for (let byte = 0; byte < 4; byte++) {
    const from = (x: Value, base: Value) =>
      vector.binary('i8x16.swizzle', x, placesFrom(e, e.binary('add', base, e.constant(8, byte))));
    const windows = vector.unary('i16x8.extend_low_i8x16_u', from(a, first));
    const wanted = vector.splat('i16x8', e.zeroExtend(vector.lane('i8x16', from(b, second), 0), 16));
    sums = vector.binary(
      'i16x8.add',
      sums,
      vector.unary('i16x8.abs', vector.binary('i16x8.sub', windows, wanted)),
    );
  }
  return sums;
});

export const SSE_SHUFFLE: readonly Instruction[] = [
  ...PACK_ROWS.map((row) => xmmRow(row, 'SSE2')),
  ...UNPACK_ROWS.map(([mnemonic, opcode, bytes, half]) =>
    xmmRow([mnemonic, opcode, interleave(bytes, half)], 'SSE2'),
  ),
  xmmRow(['PUNPCKLQDQ', '0F 6C', interleave(8, 'low')], 'SSE2'),
  xmmRow(['PUNPCKHQDQ', '0F 6D', interleave(8, 'high')], 'SSE2'),
  xmmRow(['UNPCKLPS', '0F 14', interleave(4, 'low')], 'SSE', 'NP'),
  xmmRow(['UNPCKHPS', '0F 15', interleave(4, 'high')], 'SSE', 'NP'),
  xmmRow(['UNPCKLPD', '0F 14', interleave(8, 'low')], 'SSE2'),
  xmmRow(['UNPCKHPD', '0F 15', interleave(8, 'high')], 'SSE2'),
  xmmRow(['PSHUFB', '0F 38 00', shuffleBytes(16)], 'SSSE3'),
  xmmImmediateRow('PALIGNR', '66 0F 3A 0F', 'SSSE3', alignRight),
  shuffleRow('PSHUFD', '66 0F 70', 'i32x4', 'low'),
  shuffleRow('PSHUFLW', 'F2 0F 70', 'i16x8', 'low'),
  shuffleRow('PSHUFHW', 'F3 0F 70', 'i16x8', 'high'),
  ...[SHUFPS, SHUFPD],
  blendRow('PBLENDW', '66 0F 3A 0E', 'i16x8'),
  blendRow('BLENDPS', '66 0F 3A 0C', 'i32x4'),
  blendRow('BLENDPD', '66 0F 3A 0D', 'i64x2'),
  variableBlend('PBLENDVB', '10', 'i8x16'),
  variableBlend('BLENDVPS', '14', 'i32x4'),
  variableBlend('BLENDVPD', '15', 'i64x2'),
  ...extensions('PMOVSX', 20, 's'),
  ...extensions('PMOVZX', 30, 'u'),
  MPSADBW,
  move('MOVNTDQA', 'SSE4.1', enc('RM', '66 0F 38 2A /r', w('x'), r('m128a'))),
];
