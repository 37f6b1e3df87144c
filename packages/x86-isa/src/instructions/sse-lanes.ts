/** Single lanes, put into vectors and taken out of them (Intel SDM Vol. 1 §12.10 "SSE4.1 Instruction Set"). */
import type { Builder, Value } from '../builder.ts';
import { enc, type Instruction, instruction } from '../instruction.ts';
import { r, rw, w } from '../operand.ts';
import { lanesOf, wholeOf } from './sse-rows.ts';
import { immediateMask, placesFrom } from './sse-shuffle.ts';

/** The lane that an immediate names, at the bottom. */
export function laneByImmediate(e: Builder, a: Value, immediate: Value, bits: 8 | 16 | 32 | 64): Value {
  const place = e.binary('and', immediate, e.constant(8, 128 / bits - 1));
  const first = e.binary('mul', place, e.constant(8, bits / 8));
  return e.vector.binary('i8x16.swizzle', a, placesFrom(e, first));
}

const SHAPES = { 8: 'i8x16', 16: 'i16x8', 32: 'i32x4', 64: 'i64x2' } as const;

/** A vector with the lane replaced that an immediate names. */
export function withLaneByImmediate(e: Builder, a: Value, immediate: Value, value: Value): Value {
  const { vector } = e;
  const bits = value.bits as 8 | 16 | 32 | 64;
  const shape = SHAPES[bits];
  const numbers = vector.constant(
    lanesOf(
      bits,
      Array.from({ length: 128 / bits }, (_, lane) => lane),
    ),
  );
  const place = e.binary('and', immediate, e.constant(8, 128 / bits - 1));
  const chosen = bits <= 8 ? place : e.zeroExtend(place, bits);
  const mask = vector.binary(`${shape}.eq`, numbers, vector.splat(shape, chosen));
  return vector.bitselect(mask, vector.splat(shape, value), a);
}

/** PEXTRB and PEXTRW widen to 32 bits in a register. */
function extract(
  mnemonic: string,
  bits: 8 | 16 | 32 | 64,
  encodings: Instruction['encodings'],
  feature: 'SSE2' | 'SSE4.1',
): Instruction {
  return instruction(mnemonic, {
    encodings,
    feature,
    semantics(e, destination, source, immediate) {
      const picked = laneByImmediate(e, e.read(source!), e.read(immediate!), bits);
      const value = e.vector.lane(SHAPES[bits], picked, 0);
      e.write(destination!, bits === destination!.bits ? value : e.zeroExtend(value, 32));
    },
  });
}

function insert(
  mnemonic: string,
  bits: 8 | 16 | 32 | 64,
  encodings: Instruction['encodings'],
  feature: 'SSE2' | 'SSE4.1',
): Instruction {
  return instruction(mnemonic, {
    encodings,
    feature,
    semantics(e, destination, source, immediate) {
      const value = e.truncate(e.read(source!), bits);
      e.write(destination!, withLaneByImmediate(e, e.read(destination!), e.read(immediate!), value));
    },
  });
}

const lanesIn: readonly Instruction[] = [
  insert(
    'PINSRW',
    16,
    [
      enc('RMI', '66 0F C4 /r ib', rw('x'), r('rr32'), r('imm8')),
      enc('RMI', '66 0F C4 /r ib', rw('x'), r('m16'), r('imm8')),
    ],
    'SSE2',
  ),
  insert(
    'PINSRB',
    8,
    [
      enc('RMI', '66 0F 3A 20 /r ib', rw('x'), r('rr32'), r('imm8')),
      enc('RMI', '66 0F 3A 20 /r ib', rw('x'), r('m8'), r('imm8')),
    ],
    'SSE4.1',
  ),
  insert('PINSRQ', 64, [enc('RMI', '66 REX.W 0F 3A 22 /r ib', rw('x'), r('rm64'), r('imm8'))], 'SSE4.1'),
  insert('PINSRD', 32, [enc('RMI', '66 0F 3A 22 /r ib', rw('x'), r('rm32'), r('imm8'))], 'SSE4.1'),
];

const lanesOut: readonly Instruction[] = [
  extract('PEXTRW', 16, [enc('RMI', '66 0F C5 /r ib', w('r32'), r('xr'), r('imm8'))], 'SSE2'),
  extract(
    'PEXTRB',
    8,
    [
      enc('MRI', '66 0F 3A 14 /r ib', w('rr32'), r('x'), r('imm8')),
      enc('MRI', '66 0F 3A 14 /r ib', w('m8'), r('x'), r('imm8')),
    ],
    'SSE4.1',
  ),
  extract(
    'PEXTRW',
    16,
    [
      enc('MRI', '66 0F 3A 15 /r ib', w('rr32'), r('x'), r('imm8')),
      enc('MRI', '66 0F 3A 15 /r ib', w('m16'), r('x'), r('imm8')),
    ],
    'SSE4.1',
  ),
  extract('PEXTRQ', 64, [enc('MRI', '66 REX.W 0F 3A 16 /r ib', w('rm64'), r('x'), r('imm8'))], 'SSE4.1'),
  extract('PEXTRD', 32, [enc('MRI', '66 0F 3A 16 /r ib', w('rm32'), r('x'), r('imm8'))], 'SSE4.1'),
  extract('EXTRACTPS', 32, [enc('MRI', '66 0F 3A 17 /r ib', w('rm32'), r('x'), r('imm8'))], 'SSE4.1'),
];

/** Intel SDM Vol. 2A "INSERTPS—Insert Scalar Single Precision Floating-Point Value": from a register, the lane that bits 6 and 7 name. */
const INSERTPS = instruction('INSERTPS', {
  encodings: [
    enc('RMI', '66 0F 3A 21 /r ib', rw('x'), r('xr'), r('imm8')),
    enc('RMI', '66 0F 3A 21 /r ib', rw('x'), r('m32'), r('imm8')),
  ],
  feature: 'SSE4.1',
  semantics(e, destination, source, immediateOperand) {
    const whole = wholeOf(e, source!);
    const immediate = e.read(immediateOperand!);
    const bitsFrom = (place: number) => e.shift('shr', immediate, e.constant(8, place));
    const picked = source!.isMemory ? whole : laneByImmediate(e, whole, bitsFrom(6), 32);
    const value = e.vector.lane('i32x4', picked, 0);
    const inserted = withLaneByImmediate(e, e.read(destination!), bitsFrom(4), value);
    const cleared = immediateMask(e, immediate, 'i32x4', e);
    e.write(destination!, e.vector.binary('v128.andnot', inserted, cleared));
  },
});

export const SSE_LANES: readonly Instruction[] = [...lanesIn, ...lanesOut, INSERTPS];
