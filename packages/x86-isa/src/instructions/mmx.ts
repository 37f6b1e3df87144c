/**
 * MMX, and what SSE to SSSE3 added for MMX registers (Intel SDM Vol. 1 chapter 9 "Programming with Intel MMX Technology"):
 * what the XMM instructions of the same names do, in the low halves of vectors.
 */
import type { Builder, Operand, Value } from '../builder.ts';
import { type Encoding, enc, type Feature, type Instruction, instruction } from '../instruction.ts';
import { r, rw, w } from '../operand.ts';
import { convertLanes } from './sse-conversions.ts';
import {
  ABSOLUTE_ROWS,
  HORIZONTAL_ROWS,
  horizontal,
  joined,
  MMX_ROWS,
  SSE_ROWS,
  SSE2_ROWS,
  SSSE3_ROWS,
} from './sse-integer.ts';
import { laneByImmediate, withLaneByImmediate } from './sse-lanes.ts';
import { joinLow, type Row, type VectorFunction, wholeOf } from './sse-rows.ts';
import { SHIFT_ROWS, shiftLanes } from './sse-shifts.ts';
import {
  immediatePlaces,
  interleave,
  PACK_ROWS,
  placesFrom,
  shuffleBytes,
  UNPACK_ROWS,
} from './sse-shuffle.ts';

/** An instruction that gives its destination a value of the others, MMX registers among them. */
function mmx(
  mnemonic: string,
  feature: Feature,
  encodings: readonly Encoding[],
  compute: (e: Builder, destination: Operand, ...sources: Operand[]) => Value,
): Instruction {
  return instruction(mnemonic, {
    encodings,
    feature,
    semantics(e, destination, ...sources) {
      e.vector.checkMmx();
      const value = compute(e, destination!, ...sources);
      // The x87 state changes even if a conversion raises an exception, but not if a write faults.
      if (!destination!.isMemory) e.vector.enterMmx();
      e.float.settle();
      e.write(destination!, value);
      if (destination!.isMemory) e.vector.enterMmx();
    },
  });
}

const lowHalf = (e: Builder, a: Value): Value => e.vector.lane('i64x2', a, 0);

function row(
  [mnemonic, opcode, compute]: Row,
  feature: Feature,
  source: 'qm64' | 'qm32' = 'qm64',
): Instruction {
  return mmx(mnemonic, feature, [enc('RM', `NP ${opcode} /r`, rw('q'), r(source))], (e, a, b) =>
    lowHalf(e, compute(e, wholeOf(e, a), wholeOf(e, b!))),
  );
}

/** Of the interleaved eight bytes, the upper half is what the upper halves give. */
const unpack = (bytes: number, half: 'low' | 'high'): VectorFunction => {
  const both = interleave(bytes, 'low');
  return (e, a, b) => {
    const all = both(e, a, b);
    return half === 'low' ? all : e.vector.zeroExtend(e.vector.lane('i64x2', all, 1));
  };
};

const MOVES: readonly Instruction[] = [
  mmx('MOVQ', 'MMX', [enc('RM', 'NP REX.W 0F 6E /r', w('q'), r('rm64'))], (e, _, source) => e.read(source!)),
  mmx('MOVD', 'MMX', [enc('RM', 'NP 0F 6E /r', w('q'), r('rm32'))], (e, _, source) =>
    e.zeroExtend(e.read(source!), 64),
  ),
  mmx(
    'MOVD',
    'MMX',
    [
      enc('MR', 'NP REX.W 0F 7E /r', w('rm64'), r('q')),
      enc('MR', 'NP 0F 7E /r', w('rm32'), r('q')),
      enc('RM', 'NP 0F 6F /r', w('q'), r('qm64')),
      enc('MR', 'NP 0F 7F /r', w('qm64'), r('q')),
    ],
    (e, destination, source) => e.truncate(e.read(source!), destination.bits),
  ),
  mmx('MOVNTQ', 'SSE', [enc('MR', 'NP 0F E7 /r', w('m64'), r('q'))], (e, _, source) => e.read(source!)),
  mmx('MOVQ2DQ', 'SSE2', [enc('RM', 'F3 0F D6 /r', w('x'), r('qr'))], (e, _, source) => wholeOf(e, source!)),
  mmx('MOVDQ2Q', 'SSE2', [enc('RM', 'F2 0F D6 /r', w('q'), r('xr64'))], (e, _, source) => e.read(source!)),
  mmx('PMOVMSKB', 'SSE', [enc('RM', 'NP 0F D7 /r', w('r32'), r('qr'))], (e, _, source) =>
    e.vector.bitmask('i8x16', wholeOf(e, source!)),
  ),
];

const lowTwo = (e: Builder, immediate: Operand): Value =>
  e.binary('and', e.read(immediate), e.constant(8, 3));

const SHUFFLES: readonly Instruction[] = [
  row(['PSHUFB', '0F 38 00', shuffleBytes(8)], 'SSSE3'),
  mmx(
    'PALIGNR',
    'SSSE3',
    [enc('RMI', 'NP 0F 3A 0F /r ib', rw('q'), r('qm64'), r('imm8'))],
    (e, destination, source, immediate) => {
      const both = joinLow(e, wholeOf(e, source!), wholeOf(e, destination));
      return lowHalf(e, e.vector.binary('i8x16.swizzle', both, placesFrom(e, e.read(immediate!))));
    },
  ),
  mmx(
    'PSHUFW',
    'SSE',
    [enc('RMI', 'NP 0F 70 /r ib', w('q'), r('qm64'), r('imm8'))],
    (e, _, source, immediate) => {
      const places = immediatePlaces(e, e.read(immediate!), 'i16x8', 'low');
      return lowHalf(e, e.vector.binary('i8x16.swizzle', wholeOf(e, source!), places));
    },
  ),
  mmx(
    'PINSRW',
    'SSE',
    [
      enc('RMI', 'NP 0F C4 /r ib', rw('q'), r('rr32'), r('imm8')),
      enc('RMI', 'NP 0F C4 /r ib', rw('q'), r('m16'), r('imm8')),
    ],
    (e, destination, source, immediate) => {
      const value = e.truncate(e.read(source!), 16);
      return lowHalf(e, withLaneByImmediate(e, wholeOf(e, destination), lowTwo(e, immediate!), value));
    },
  ),
  mmx(
    'PEXTRW',
    'SSE',
    [enc('RMI', 'NP 0F C5 /r ib', w('r32'), r('qr'), r('imm8'))],
    (e, _, source, immediate) => {
      const picked = laneByImmediate(e, wholeOf(e, source!), lowTwo(e, immediate!), 16);
      return e.zeroExtend(e.vector.lane('i16x8', picked, 0), 32);
    },
  ),
];

const SHIFTS = SHIFT_ROWS.map(([mnemonic, shape, kind, opcode, immediateOpcode]) =>
  mmx(
    mnemonic,
    'MMX',
    [
      enc('RM', `NP ${opcode} /r`, rw('q'), r('qm64')),
      enc('MI', `NP ${immediateOpcode} ib`, rw('qr'), r('imm8')),
    ],
    (e, destination, source) => {
      const count = e.zeroExtend(e.read(source!), 64);
      return lowHalf(e, shiftLanes(e, shape, kind, wholeOf(e, destination), count));
    },
  ),
);

/** To MMX registers, from the low two lanes. */
const toMmx = (
  mnemonic: string,
  notation: string,
  source: 'xm64' | 'xm128',
  truncate: boolean,
): Instruction =>
  mmx(
    mnemonic,
    source === 'xm64' ? 'SSE' : 'SSE2',
    [enc('RM', `${notation} /r`, w('q'), r(source))],
    (e, _, from) => {
      const lanes = source === 'xm64' ? 'i32x4' : 'i64x2';
      const convert = (lane: Value) => e.float.toInteger(lane, 32, truncate);
      return lowHalf(e, convertLanes(e, wholeOf(e, from!), 2, lanes, 'i32x4', convert));
    },
  );

const CONVERSIONS: readonly Instruction[] = [
  toMmx('CVTTPS2PI', 'NP 0F 2C', 'xm64', true),
  toMmx('CVTPS2PI', 'NP 0F 2D', 'xm64', false),
  toMmx('CVTTPD2PI', '66 0F 2C', 'xm128', true),
  toMmx('CVTPD2PI', '66 0F 2D', 'xm128', false),
];

/**
 * Intel SDM Vol. 2A "CVTPI2PD—Convert Packed Doubleword Integers to Packed Double Precision Floating-Point Values", and
 * CVTPI2PS. From memory they use no MMX register; the manual says so of the first, AMD's processors do it with both.
 */
const fromMmx = (
  mnemonic: string,
  feature: Feature,
  encoding: Encoding,
  compute: (e: Builder, source: Value) => Value,
): Instruction =>
  instruction(mnemonic, {
    encodings: [encoding],
    feature,
    semantics(e, destination, source) {
      if (!source!.isMemory) e.vector.checkMmx();
      const value = compute(e, wholeOf(e, source!));
      if (!source!.isMemory) e.vector.enterMmx();
      e.float.settle();
      e.write(destination!, value);
    },
  });

const FROM_MMX: readonly Instruction[] = [
  fromMmx('CVTPI2PS', 'SSE', enc('RM', 'NP 0F 2A /r', w('x64'), r('qm64')), (e, a) =>
    lowHalf(
      e,
      convertLanes(e, a, 2, 'i32x4', 'i32x4', (lane) => e.float.fromInteger(lane, 32)),
    ),
  ),
  fromMmx('CVTPI2PD', 'SSE2', enc('RM', '66 0F 2A /r', w('x'), r('qm64')), (e, a) =>
    e.vector.unary('f64x2.convert_low_i32x4_s', a),
  ),
];

/** Intel SDM Vol. 2A "EMMS—Empty MMX Technology State". */
const EMMS = instruction('EMMS', {
  encodings: [enc('NP', 'NP 0F 77')],
  feature: 'MMX',
  unit: 'mmx',
  semantics(e) {
    e.vector.checkMmx();
    e.vector.leaveMmx();
  },
});

export const MMX: readonly Instruction[] = [
  ...MMX_ROWS.map((it) => row(it, 'MMX')),
  ...SSE_ROWS.map((it) => row(it, 'SSE')),
  ...SSE2_ROWS.map((it) => row(it, 'SSE2')),
  ...SSSE3_ROWS.map((it) => row(it, 'SSSE3')),
  ...ABSOLUTE_ROWS.map(([mnemonic, opcode, shape]) =>
    mmx(mnemonic, 'SSSE3', [enc('RM', `NP ${opcode} /r`, w('q'), r('qm64'))], (e, _, source) =>
      lowHalf(e, e.vector.unary(`${shape}.abs`, wholeOf(e, source!))),
    ),
  ),
  ...HORIZONTAL_ROWS.map(([mnemonic, opcode, bytes, operation]) =>
    row([mnemonic, opcode, joined(horizontal(bytes, operation))], 'SSSE3'),
  ),
  ...PACK_ROWS.map(([mnemonic, opcode, compute]) => row([mnemonic, opcode, joined(compute)], 'MMX')),
  ...UNPACK_ROWS.map(([mnemonic, opcode, bytes, half]) =>
    row([mnemonic, opcode, unpack(bytes, half)], 'MMX', half === 'low' ? 'qm32' : 'qm64'),
  ),
  ...[...MOVES, ...SHUFFLES, ...SHIFTS, ...CONVERSIONS, ...FROM_MMX, EMMS],
];
