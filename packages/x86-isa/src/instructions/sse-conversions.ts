/** Conversions between the formats, and to and from integers (Intel SDM Vol. 1 §11.4.1.6 "SSE2 Conversion Instructions"). */
import type { Builder, Value } from '../builder.ts';
import { enc, type Instruction, instruction } from '../instruction.ts';
import { r, w } from '../operand.ts';
import { wholeOf } from './sse-rows.ts';

/** Lanes of one vector become lanes of another, from the low end; zeros above. */
export function convertLanes(
  e: Builder,
  a: Value,
  count: number,
  from: 'i32x4' | 'i64x2',
  to: 'i32x4' | 'i64x2',
  convert: (lane: Value) => Value,
): Value {
  let result = e.vector.constant(0n);
  for (let lane = 0; lane < count; lane++)
    result = e.vector.withLane(to, result, lane, convert(e.vector.lane(from, a, lane)));
  return result;
}

type Compute = (e: Builder, a: Value) => Value;

const packed = (
  mnemonic: string,
  notation: string,
  source: 'xm128' | 'xm64',
  compute: Compute,
): Instruction =>
  instruction(mnemonic, {
    encodings: [enc('RM', `${notation} /r`, w('x'), r(source))],
    feature: 'SSE2',
    semantics(e, destination, operand) {
      const value = compute(e, wholeOf(e, operand!));
      e.float.settle();
      e.write(destination!, value);
    },
  });

const toInteger =
  (count: number, from: 'i32x4' | 'i64x2', truncate: boolean): Compute =>
  (e, a) =>
    convertLanes(e, a, count, from, 'i32x4', (lane) => e.float.toInteger(lane, 32, truncate));

const PACKED: readonly Instruction[] = [
  packed('CVTPS2PD', 'NP 0F 5A', 'xm64', (e, a) =>
    convertLanes(e, a, 2, 'i32x4', 'i64x2', (lane) => e.float.resize(lane, 64)),
  ),
  packed('CVTPD2PS', '66 0F 5A', 'xm128', (e, a) =>
    convertLanes(e, a, 2, 'i64x2', 'i32x4', (lane) => e.float.resize(lane, 32)),
  ),
  packed('CVTDQ2PS', 'NP 0F 5B', 'xm128', (e, a) =>
    convertLanes(e, a, 4, 'i32x4', 'i32x4', (lane) => e.float.fromInteger(lane, 32)),
  ),
  packed('CVTDQ2PD', 'F3 0F E6', 'xm64', (e, a) => e.vector.unary('f64x2.convert_low_i32x4_s', a)),
  packed('CVTPS2DQ', '66 0F 5B', 'xm128', toInteger(4, 'i32x4', false)),
  packed('CVTTPS2DQ', 'F3 0F 5B', 'xm128', toInteger(4, 'i32x4', true)),
  packed('CVTPD2DQ', 'F2 0F E6', 'xm128', toInteger(2, 'i64x2', false)),
  packed('CVTTPD2DQ', '66 0F E6', 'xm128', toInteger(2, 'i64x2', true)),
];

const RESIZE: readonly Instruction[] = (
  [
    ['CVTSS2SD', 'F3 0F 5A', 'x64', 'xm32', 64],
    ['CVTSD2SS', 'F2 0F 5A', 'x32', 'xm64', 32],
  ] as const
).map(([mnemonic, notation, destination, source, bits]) =>
  instruction(mnemonic, {
    encodings: [enc('RM', `${notation} /r`, w(destination), r(source))],
    feature: 'SSE2',
    semantics(e, to, from) {
      const value = e.float.resize(e.read(from!), bits);
      e.float.settle();
      e.write(to!, value);
    },
  }),
);

const FROM_INTEGER: readonly Instruction[] = (
  [
    ['CVTSI2SS', 'F3', 'x32', 32, 'SSE'],
    ['CVTSI2SD', 'F2', 'x64', 64, 'SSE2'],
  ] as const
).map(([mnemonic, prefix, destination, bits, feature]) =>
  instruction(mnemonic, {
    encodings: [
      enc('RM', `${prefix} REX.W 0F 2A /r`, w(destination), r('rm64')),
      enc('RM', `${prefix} 0F 2A /r`, w(destination), r('rm32')),
    ],
    feature,
    semantics(e, to, from) {
      const value = e.float.fromInteger(e.read(from!), bits);
      e.float.settle();
      e.write(to!, value);
    },
  }),
);

const TO_INTEGER: readonly Instruction[] = (
  [
    ['CVTSS2SI', 'F3', '2D', 'xm32', false, 'SSE'],
    ['CVTTSS2SI', 'F3', '2C', 'xm32', true, 'SSE'],
    ['CVTSD2SI', 'F2', '2D', 'xm64', false, 'SSE2'],
    ['CVTTSD2SI', 'F2', '2C', 'xm64', true, 'SSE2'],
  ] as const
).map(([mnemonic, prefix, opcode, source, truncate, feature]) =>
  instruction(mnemonic, {
    encodings: [
      enc('RM', `${prefix} REX.W 0F ${opcode} /r`, w('r64'), r(source)),
      enc('RM', `${prefix} 0F ${opcode} /r`, w('r32'), r(source)),
    ],
    feature,
    semantics(e, to, from) {
      const value = e.float.toInteger(e.read(from!), to!.bits as 32 | 64, truncate);
      e.float.settle();
      e.write(to!, value);
    },
  }),
);

export const SSE_CONVERSIONS: readonly Instruction[] = [...PACKED, ...RESIZE, ...FROM_INTEGER, ...TO_INTEGER];
