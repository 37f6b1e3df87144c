/** Moves of XMM registers (Intel SDM Vol. 1 §10.4.1.1 "SSE Data Movement Instructions", §11.4.1.1 "SSE2 Data Movement Instructions"). */
import { enc, type Instruction, instruction } from '../instruction.ts';
import { r, rw, w } from '../operand.ts';
import type { IntegerShape } from '../vector-builder.ts';
import { joinLow, move, wholeOf } from './sse-rows.ts';

const WHOLE: readonly Instruction[] = [
  move(
    'MOVAPS',
    'SSE',
    enc('RM', 'NP 0F 28 /r', w('x'), r('xm128')),
    enc('MR', 'NP 0F 29 /r', w('xm128'), r('x')),
  ),
  move(
    'MOVAPD',
    'SSE2',
    enc('RM', '66 0F 28 /r', w('x'), r('xm128')),
    enc('MR', '66 0F 29 /r', w('xm128'), r('x')),
  ),
  move(
    'MOVUPS',
    'SSE',
    enc('RM', 'NP 0F 10 /r', w('x'), r('xu128')),
    enc('MR', 'NP 0F 11 /r', w('xu128'), r('x')),
  ),
  move(
    'MOVUPD',
    'SSE2',
    enc('RM', '66 0F 10 /r', w('x'), r('xu128')),
    enc('MR', '66 0F 11 /r', w('xu128'), r('x')),
  ),
  move(
    'MOVDQA',
    'SSE2',
    enc('RM', '66 0F 6F /r', w('x'), r('xm128')),
    enc('MR', '66 0F 7F /r', w('xm128'), r('x')),
  ),
  move(
    'MOVDQU',
    'SSE2',
    enc('RM', 'F3 0F 6F /r', w('x'), r('xu128')),
    enc('MR', 'F3 0F 7F /r', w('xu128'), r('x')),
  ),
  move('LDDQU', 'SSE3', enc('RM', 'F2 0F F0 /r', w('x'), r('m128'))),
  move('MOVNTPS', 'SSE', enc('MR', 'NP 0F 2B /r', w('m128a'), r('x'))),
  move('MOVNTPD', 'SSE2', enc('MR', '66 0F 2B /r', w('m128a'), r('x'))),
  move('MOVNTDQ', 'SSE2', enc('MR', '66 0F E7 /r', w('m128a'), r('x'))),
  move(
    'MOVNTI',
    'SSE2',
    enc('MR', 'NP REX.W 0F C3 /r', w('m64'), r('r64')),
    enc('MR', 'NP 0F C3 /r', w('m32'), r('r32')),
  ),
];

/** To and from memory, and between registers, the rest stays. */
const PARTS: readonly Instruction[] = [
  move(
    'MOVSS',
    'SSE',
    enc('RM', 'F3 0F 10 /r', w('x32'), r('xr32')),
    enc('MR', 'F3 0F 11 /r', w('xm32'), r('x32')),
  ),
  move(
    'MOVSD',
    'SSE2',
    enc('RM', 'F2 0F 10 /r', w('x64'), r('xr64')),
    enc('MR', 'F2 0F 11 /r', w('xm64'), r('x64')),
  ),
  move(
    'MOVLPS',
    'SSE',
    enc('RM', 'NP 0F 12 /r', w('x64'), r('m64')),
    enc('MR', 'NP 0F 13 /r', w('m64'), r('x64')),
  ),
  move(
    'MOVLPD',
    'SSE2',
    enc('RM', '66 0F 12 /r', w('x64'), r('m64')),
    enc('MR', '66 0F 13 /r', w('m64'), r('x64')),
  ),
  move(
    'MOVD',
    'SSE2',
    enc('MR', '66 REX.W 0F 7E /r', w('rm64'), r('x64')),
    enc('MR', '66 0F 7E /r', w('rm32'), r('x32')),
  ),
];

/** To a register whose rest is cleared. */
const extending = (mnemonic: string, feature: 'SSE' | 'SSE2', ...encodings: Instruction['encodings']) =>
  instruction(mnemonic, {
    encodings,
    feature,
    semantics: (e, destination, source) => e.write(destination!, wholeOf(e, source!)),
  });

const EXTENDING: readonly Instruction[] = [
  extending('MOVSS', 'SSE', enc('RM', 'F3 0F 10 /r', w('x'), r('m32'))),
  extending('MOVSD', 'SSE2', enc('RM', 'F2 0F 10 /r', w('x'), r('m64'))),
  extending(
    'MOVD',
    'SSE2',
    enc('RM', '66 REX.W 0F 6E /r', w('x'), r('rm64')),
    enc('RM', '66 0F 6E /r', w('x'), r('rm32')),
  ),
  extending('MOVQ', 'SSE2', enc('RM', 'F3 0F 7E /r', w('x'), r('xm64'))),
];

/** Intel SDM Vol. 2B "MOVQ—Move Quadword": from a register to another it clears the rest, too. */
const MOVQ_STORE = instruction('MOVQ', {
  encodings: [enc('MR', '66 0F D6 /r', w('xr'), r('x64')), enc('MR', '66 0F D6 /r', w('m64'), r('x64'))],
  feature: 'SSE2',
  semantics(e, destination, source) {
    const value = e.read(source!);
    e.write(destination!, destination!.isMemory ? value : e.vector.zeroExtend(value));
  },
});

/** Intel SDM Vol. 2B "MOVHPS—Move High Packed Single Precision Floating-Point Values", and MOVHPD. */
const high = (mnemonic: string, feature: 'SSE' | 'SSE2', prefix: string) => [
  instruction(mnemonic, {
    encodings: [enc('RM', `${prefix} 0F 16 /r`, rw('x'), r('m64'))],
    feature,
    semantics(e, destination, source) {
      const value = e.read(source!);
      e.write(destination!, e.vector.withLane('i64x2', e.read(destination!), 1, value));
    },
  }),
  instruction(mnemonic, {
    encodings: [enc('MR', `${prefix} 0F 17 /r`, w('m64'), r('x'))],
    feature,
    semantics: (e, destination, source) => e.write(destination!, e.vector.lane('i64x2', e.read(source!), 1)),
  }),
];

/** Intel SDM Vol. 2B "MOVHLPS—Move Packed Single Precision Floating-Point Values High to Low". */
const MOVHLPS = instruction('MOVHLPS', {
  encodings: [enc('RM', 'NP 0F 12 /r', w('x64'), r('xr'))],
  feature: 'SSE',
  semantics: (e, destination, source) => e.write(destination!, e.vector.lane('i64x2', e.read(source!), 1)),
});

/** Intel SDM Vol. 2B "MOVLHPS—Move Packed Single Precision Floating-Point Values Low to High". */
const MOVLHPS = instruction('MOVLHPS', {
  encodings: [enc('RM', 'NP 0F 16 /r', rw('x'), r('xr'))],
  feature: 'SSE',
  semantics(e, destination, source) {
    const value = e.read(source!);
    e.write(destination!, joinLow(e, e.read(destination!), value));
  },
});

const duplicate = (mnemonic: string, notation: string, source: 'xm128' | 'xm64', places: readonly number[]) =>
  instruction(mnemonic, {
    encodings: [enc('RM', `${notation} /r`, w('x'), r(source))],
    feature: 'SSE3',
    semantics(e, destination, operand) {
      const value = wholeOf(e, operand!);
      e.write(destination!, e.vector.shuffle(value, value, places));
    },
  });

const EVEN = [0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11];
const ODD = EVEN.map((place) => place + 4);
const TWICE = [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7];

/** Signs of lanes, in a general register. */
const mask = (mnemonic: string, notation: string, feature: 'SSE' | 'SSE2', shape: IntegerShape) =>
  instruction(mnemonic, {
    encodings: [enc('RM', `${notation} /r`, w('r32'), r('xr'))],
    feature,
    semantics: (e, destination, source) => e.write(destination!, e.vector.bitmask(shape, e.read(source!))),
  });

export const SSE_MOVES: readonly Instruction[] = [
  ...[...WHOLE, ...PARTS, ...EXTENDING, MOVQ_STORE],
  ...[...high('MOVHPS', 'SSE', 'NP'), ...high('MOVHPD', 'SSE2', '66'), MOVHLPS, MOVLHPS],
  duplicate('MOVSLDUP', 'F3 0F 12', 'xm128', EVEN),
  duplicate('MOVSHDUP', 'F3 0F 16', 'xm128', ODD),
  duplicate('MOVDDUP', 'F2 0F 12', 'xm64', TWICE),
  mask('MOVMSKPS', 'NP 0F 50', 'SSE', 'i32x4'),
  mask('MOVMSKPD', '66 0F 50', 'SSE2', 'i64x2'),
  mask('PMOVMSKB', '66 0F D7', 'SSE2', 'i8x16'),
];
