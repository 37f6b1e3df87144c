/** Shifts of lanes, and of whole registers by bytes (Intel SDM Vol. 1 §9.4.7 "Shift Instructions"). */
import type { Builder, Value } from '../builder.ts';
import { enc, type Instruction, instruction } from '../instruction.ts';
import { r, rw } from '../operand.ts';
import { repeated, wholeOf } from './sse-rows.ts';
import { IOTA } from './sse-shuffle.ts';

type Shape = 'i16x8' | 'i32x4' | 'i64x2';
type Kind = 'shl' | 'shr_u' | 'shr_s';

/** Mnemonic, shape, kind, opcode with the count in a vector, opcode and digit with an immediate count. */
export const SHIFT_ROWS: readonly (readonly [string, Shape, Kind, string, string])[] = [
  ['PSLLW', 'i16x8', 'shl', '0F F1', '0F 71 /6'],
  ['PSLLD', 'i32x4', 'shl', '0F F2', '0F 72 /6'],
  ['PSLLQ', 'i64x2', 'shl', '0F F3', '0F 73 /6'],
  ['PSRLW', 'i16x8', 'shr_u', '0F D1', '0F 71 /2'],
  ['PSRLD', 'i32x4', 'shr_u', '0F D2', '0F 72 /2'],
  ['PSRLQ', 'i64x2', 'shr_u', '0F D3', '0F 73 /2'],
  ['PSRAW', 'i16x8', 'shr_s', '0F E1', '0F 71 /4'],
  ['PSRAD', 'i32x4', 'shr_s', '0F E2', '0F 72 /4'],
];

const WIDTH = { i16x8: 16, i32x4: 32, i64x2: 64 } as const;

/** By a count of 64 bits, which may be anything: as far as a lane is wide, nothing is left, or only signs. */
export function shiftLanes(e: Builder, shape: Shape, kind: Kind, a: Value, count: Value): Value {
  const { vector } = e;
  const width = WIDTH[shape];
  const isWithin = e.compare('ltU', count, e.constant(64, width));
  const short = e.truncate(count, 32);
  if (kind === 'shr_s')
    return vector.shift(`${shape}.shr_s`, a, e.select(isWithin, short, e.constant(32, width - 1)));
  return e.select(isWithin, vector.shift(`${shape}.${kind}`, a, short), vector.constant(0n));
}

const shiftRow = ([
  mnemonic,
  shape,
  kind,
  opcode,
  immediateOpcode,
]: (typeof SHIFT_ROWS)[number]): Instruction =>
  instruction(mnemonic, {
    encodings: [
      enc('RM', `66 ${opcode} /r`, rw('x'), r('xm128')),
      enc('MI', `66 ${immediateOpcode} ib`, rw('xr'), r('imm8')),
    ],
    feature: 'SSE2',
    semantics(e, destination, source) {
      const isImmediate = source!.source === 'immediate';
      const count = isImmediate
        ? e.zeroExtend(e.read(source!), 64)
        : e.vector.lane('i64x2', wholeOf(e, source!), 0);
      e.write(destination!, shiftLanes(e, shape, kind, e.read(destination!), count));
    },
  });

/** By bytes; 16 and more leave nothing. */
const byteShift = (mnemonic: string, digit: number, operation: 'i8x16.add' | 'i8x16.sub') =>
  instruction(mnemonic, {
    encodings: [enc('MI', `66 0F 73 /${digit} ib`, rw('xr'), r('imm8'))],
    feature: 'SSE2',
    semantics(e, destination, immediate) {
      const { vector } = e;
      const sixteen = vector.constant(repeated(8, 16));
      const count = vector.binary('i8x16.min_u', vector.splat('i8x16', e.read(immediate!)), sixteen);
      const places = vector.binary(operation, vector.constant(IOTA), count);
      e.write(destination!, vector.binary('i8x16.swizzle', e.read(destination!), places));
    },
  });

export const SSE_SHIFTS: readonly Instruction[] = [
  ...SHIFT_ROWS.map(shiftRow),
  byteShift('PSRLDQ', 3, 'i8x16.add'),
  byteShift('PSLLDQ', 7, 'i8x16.sub'),
];
