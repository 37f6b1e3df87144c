/** Intel SDM Vol. 2B "PCMPESTRI—Packed Compare Explicit Length Strings, Return Index", and the three like it. */
import type { Builder, Operand, Value } from '../builder.ts';
import { type Encoding, enc, type Instruction, instruction } from '../instruction.ts';
import { r, w } from '../operand.ts';
import { lanesOf } from './sse-rows.ts';

const RCX = 1;

interface Strings {
  readonly a: Value;
  readonly b: Value;
  /** Elements in a vector, and in each string: 32 bits. */
  readonly count: Value;
  readonly aLength: Value;
  readonly bLength: Value;
  readonly control: Value;
}

const bitOf = (e: Builder, value: Value, place: number): Value =>
  e.truncate(e.shift('shr', value, e.constant(8, place)), 1);

/** 16 bytes or 8 words. */
const countOf = (e: Builder, control: Value): Value =>
  e.select(bitOf(e, control, 0), e.constant(32, 8), e.constant(32, 16));

/** Up to the first element that is 0. */
function implicitLength(e: Builder, a: Value, control: Value, count: Value): Value {
  const { vector } = e;
  const zero = vector.constant(0n);
  const zeros = (shape: 'i8x16' | 'i16x8') => vector.bitmask(shape, vector.binary(`${shape}.eq`, a, zero));
  const found = e.select(bitOf(e, control, 0), zeros('i16x8'), zeros('i8x16'));
  return e.count('ctz', e.binary('or', found, e.shift('shl', e.constant(32, 1), count)));
}

/** How far from 0 a register is, and no more than all. */
function explicitLength(e: Builder, register: Value, count: Value): Value {
  const { bits } = register;
  const zero = e.constant(bits, 0);
  const isNegative = e.compare('ltS', register, zero);
  const size = e.select(isNegative, e.binary('sub', zero, register), register);
  const isShort = e.compare('ltU', size, e.zeroExtend(count, bits));
  return e.select(isShort, e.truncate(size, 32), count);
}

/** @returns what was found; flags are set. */
function compare(e: Builder, { a, b, count, aLength, bLength, control }: Strings): Value {
  const found = e.vector.compareStrings(a, aLength, b, bLength, e.zeroExtend(control, 32));
  const clear = e.constant(1, 0);
  e.setFlags({
    CF: e.compare('ne', found, e.constant(32, 0)),
    ZF: e.compare('ltU', bLength, count),
    SF: e.compare('ltU', aLength, count),
    OF: e.truncate(found, 1),
    ...{ AF: clear, PF: clear },
  });
  return found;
}

/** Of the lowest or the highest one; as many as there are elements, if none. */
function writeIndex(e: Builder, { count, control }: Strings, found: Value): void {
  const lowest = e.count('ctz', e.binary('or', found, e.shift('shl', e.constant(32, 1), count)));
  const highest = e.binary('sub', e.constant(32, 31), e.count('clz', found));
  const isNone = e.compare('eq', found, e.constant(32, 0));
  e.writeRegister(RCX, e.select(isNone, count, e.select(bitOf(e, control, 6), highest, lowest)));
}

/** As bits, or as elements of ones. */
function writeMask(e: Builder, { control }: Strings, destination: Operand, found: Value): void {
  const { vector } = e;
  const bits = (count: number) => Array.from({ length: count }, (_, lane) => 1 << (lane % 8));
  const low = e.truncate(found, 8);
  const high = e.truncate(e.shift('shr', found, e.constant(8, 8)), 8);
  const spread = vector.shuffle(vector.splat('i8x16', low), vector.splat('i8x16', high), [
    ...[0, 0, 0, 0, 0, 0, 0, 0],
    ...[16, 16, 16, 16, 16, 16, 16, 16],
  ]);
  const test = (shape: 'i8x16' | 'i16x8', from: Value, flags: Value) =>
    vector.binary(`${shape}.eq`, vector.binary('v128.and', from, flags), flags);
  const bytes = test('i8x16', spread, vector.constant(lanesOf(8, bits(16))));
  const words = test(
    'i16x8',
    vector.splat('i16x8', e.truncate(found, 16)),
    vector.constant(lanesOf(16, bits(8))),
  );
  const elements = e.select(bitOf(e, control, 0), words, bytes);
  e.write(destination, e.select(bitOf(e, control, 6), elements, vector.zeroExtend(found)));
}

const explicit = (opcode: string, ...result: ReturnType<typeof w>[]): Encoding[] => [
  enc('RMI', `66 REX.W 0F 3A ${opcode} /r ib`, r('x'), r('xu128'), r('imm8'), r('rax'), r('rdx'), ...result),
  enc('RMI', `66 0F 3A ${opcode} /r ib`, r('x'), r('xu128'), r('imm8'), r('eax'), r('edx'), ...result),
];

const implicit = (opcode: string, ...result: ReturnType<typeof w>[]): Encoding[] => [
  enc('RMI', `66 0F 3A ${opcode} /r ib`, r('x'), r('xu128'), r('imm8'), ...result),
];

function readExplicit(e: Builder, operands: readonly Operand[]): Strings {
  const [a, b, control, aLength, bLength] = operands.slice(0, 5).map((it) => e.read(it)) as [
    Value,
    Value,
    Value,
    Value,
    Value,
  ];
  const count = countOf(e, control);
  return {
    a,
    b,
    control,
    count,
    aLength: explicitLength(e, aLength, count),
    bLength: explicitLength(e, bLength, count),
  };
}

function readImplicit(e: Builder, operands: readonly Operand[]): Strings {
  const [a, b, control] = operands.slice(0, 3).map((it) => e.read(it)) as [Value, Value, Value];
  const count = countOf(e, control);
  const length = (of: Value) => implicitLength(e, of, control, count);
  return { a, b, control, count, aLength: length(a), bLength: length(b) };
}

type Read = typeof readExplicit;

const returnsIndex = (mnemonic: string, encodings: Encoding[], read: Read): Instruction =>
  instruction(mnemonic, {
    encodings,
    feature: 'SSE4.2',
    semantics(e, ...operands) {
      const strings = read(e, operands);
      writeIndex(e, strings, compare(e, strings));
    },
  });

const returnsMask = (mnemonic: string, encodings: Encoding[], read: Read): Instruction =>
  instruction(mnemonic, {
    encodings,
    feature: 'SSE4.2',
    semantics(e, ...operands) {
      const strings = read(e, operands);
      writeMask(e, strings, operands.at(-1)!, compare(e, strings));
    },
  });

export const SSE_STRINGS: readonly Instruction[] = [
  returnsMask('PCMPESTRM', explicit('60', w('xmm0')), readExplicit),
  returnsIndex('PCMPESTRI', explicit('61'), readExplicit),
  returnsMask('PCMPISTRM', implicit('62', w('xmm0')), readImplicit),
  returnsIndex('PCMPISTRI', implicit('63'), readImplicit),
];
