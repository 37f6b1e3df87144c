/** Carry-less multiplication, and the Intel SHA extensions, by the steps of FIPS 180-4 "Secure Hash Standard". */
import type { Builder, Value } from '../builder.ts';
import { enc, type Instruction, instruction } from '../instruction.ts';
import { r, rw } from '../operand.ts';
import { xmmImmediateRow } from './sse-rows.ts';

/** Every fourth bit: between ones there is room for the carries of sixteen sums. */
const EVERY_FOURTH = [1n, 2n, 4n, 8n].map((bit) => bit * 0x1111_1111_1111_1111n);

/** The lower 64 bits of a product without carries: of parts whose sums' carries fall between the bits that count. */
function carrylessLow(e: Builder, a: Value, b: Value): Value {
  const parts = (x: Value) => EVERY_FOURTH.map((mask) => e.binary('and', x, e.constant(64, mask)));
  const [as, bs] = [parts(a), parts(b)];
  let product = e.constant(64, 0);
  for (const [place, mask] of EVERY_FOURTH.entries()) {
    let sum = e.constant(64, 0);
    for (const [at, part] of as.entries())
      sum = e.binary('xor', sum, e.binary('mul', part, bs[(place - at + 4) % 4]!));
    product = e.binary('or', product, e.binary('and', sum, e.constant(64, mask)));
  }
  return product;
}

function reverseBits(e: Builder, value: Value): Value {
  let reversed = value;
  for (let distance = 1n; distance <= 32n; distance *= 2n) {
    // Ones where the lower of two neighbours of this many bits is.
    const mask = 0xffff_ffff_ffff_ffffn / ((1n << distance) + 1n);
    const low = e.binary('and', reversed, e.constant(64, mask));
    const high = e.binary('and', e.shift('shr', reversed, e.constant(8, distance)), e.constant(64, mask));
    reversed = e.binary('or', e.shift('shl', low, e.constant(8, distance)), high);
  }
  return reversed;
}

/** Intel SDM Vol. 2B "PCLMULQDQ—Carry-Less Multiplication Quadword". The upper half is the lower one of mirrored operands. */
const PCLMULQDQ = xmmImmediateRow('PCLMULQDQ', '66 0F 3A 44', 'PCLMULQDQ', (e, a, b, immediate) => {
  const { vector } = e;
  const half = (x: Value, place: number) => {
    const isHigh = e.truncate(e.shift('shr', immediate, e.constant(8, place)), 1);
    return e.select(isHigh, vector.lane('i64x2', x, 1), vector.lane('i64x2', x, 0));
  };
  const [x, y] = [half(a, 0), half(b, 4)];
  const mirrored = carrylessLow(e, reverseBits(e, x), reverseBits(e, y));
  const high = e.shift('shr', reverseBits(e, mirrored), e.constant(8, 1));
  return vector.withLane('i64x2', vector.zeroExtend(carrylessLow(e, x, y)), 1, high);
});

/** Doublewords of a vector, the lowest first, and back. */
const split = (e: Builder, a: Value): Value[] => [0, 1, 2, 3].map((lane) => e.vector.lane('i32x4', a, lane));
const join = (e: Builder, lanes: readonly Value[]): Value =>
  lanes.reduce(
    (vector, lane, place) => e.vector.withLane('i32x4', vector, place, lane),
    e.vector.constant(0n),
  );

const rotate = (e: Builder, x: Value, count: number): Value => e.shift('rotl', x, e.constant(32, count));
const add = (e: Builder, ...values: readonly Value[]): Value =>
  values.reduce((a, b) => e.binary('add', a, b));
const xor = (e: Builder, ...values: readonly Value[]): Value =>
  values.reduce((a, b) => e.binary('xor', a, b));

/** FIPS 180-4 §4.1.1 "SHA-1 Functions", §4.2.1 "SHA-1 Constants". */
const SHA1_CONSTANTS = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6];

const choose = (e: Builder, x: Value, y: Value, z: Value): Value =>
  e.binary('xor', e.binary('and', x, y), e.binary('and', e.not(x), z));
const majority = (e: Builder, x: Value, y: Value, z: Value): Value =>
  xor(e, e.binary('and', x, y), e.binary('and', x, z), e.binary('and', y, z));

/** Intel SDM Vol. 2B "SHA1RNDS4—Perform Four Rounds of SHA1 Operation". */
const SHA1RNDS4 = instruction('SHA1RNDS4', {
  encodings: [enc('RMI', 'NP 0F 3A CC /r ib', rw('x'), r('xu128'), r('imm8'))],
  feature: 'SHA',
  semantics(e, destination, source, immediate) {
    const [state, words] = [e.read(destination!), e.read(source!)];
    e.write(destination!, fourRounds(e, state, words, e.read(immediate!)));
  },
});

function fourRounds(e: Builder, state: Value, words: Value, immediate: Value): Value {
  const [low, high] = [0, 1].map((place) =>
    e.truncate(e.shift('shr', immediate, e.constant(8, place)), 1),
  ) as [Value, Value];
  const byFunction = (values: readonly [Value, Value, Value, Value]) =>
    e.select(high, e.select(low, values[3], values[2]), e.select(low, values[1], values[0]));
  const constants = SHA1_CONSTANTS.map((it) => e.constant(32, it)) as [Value, Value, Value, Value];
  const constant = byFunction(constants);
  let [d, c, b, a] = split(e, state) as [Value, Value, Value, Value];
  let last = e.constant(32, 0);
  for (const word of split(e, words).reverse()) {
    const parity = xor(e, b, c, d);
    const mixed = byFunction([choose(e, b, c, d), parity, majority(e, b, c, d), parity]);
    const next = add(e, mixed, rotate(e, a, 5), word, last, constant);
    [last, d, c, b, a] = [d, c, rotate(e, b, 30), a, next];
  }
  return join(e, [d, c, b, a]);
}

type Sha = (e: Builder, a: readonly Value[], b: readonly Value[]) => Value[];

/** Memory may be anywhere: AMD's processors, the only ones at hand, do not look at its alignment. */
const shaRow = (mnemonic: string, opcode: string, compute: Sha): Instruction =>
  instruction(mnemonic, {
    encodings: [enc('RM', `NP ${opcode} /r`, rw('x'), r('xu128'))],
    feature: 'SHA',
    semantics(e, destination, source) {
      const a = split(e, e.read(destination!));
      e.write(destination!, join(e, compute(e, a, split(e, e.read(source!)))));
    },
  });

/** FIPS 180-4 §4.1.2 "SHA-224 and SHA-256 Functions": two rotations to the right, and a shift or a third. */
const mix = (e: Builder, x: Value, first: number, second: number, third: number, shifts: boolean): Value => {
  const last = shifts ? e.shift('shr', x, e.constant(32, third)) : rotate(e, x, 32 - third);
  return xor(e, rotate(e, x, 32 - first), rotate(e, x, 32 - second), last);
};

const ROWS: readonly Instruction[] = [
  shaRow('SHA1NEXTE', '0F 38 C8', (e, a, b) => [b[0]!, b[1]!, b[2]!, add(e, b[3]!, rotate(e, a[3]!, 30))]),
  shaRow('SHA1MSG1', '0F 38 C9', (e, a, b) => [
    ...[xor(e, a[0]!, b[2]!), xor(e, a[1]!, b[3]!), xor(e, a[2]!, a[0]!), xor(e, a[3]!, a[1]!)],
  ]),
  shaRow('SHA1MSG2', '0F 38 CA', (e, a, b) => {
    const step = (x: Value, y: Value) => rotate(e, xor(e, x, y), 1);
    const highest = step(a[3]!, b[2]!);
    return [step(a[0]!, highest), step(a[1]!, b[0]!), step(a[2]!, b[1]!), highest];
  }),
  shaRow('SHA256MSG1', '0F 38 CC', (e, a, b) =>
    [a[1]!, a[2]!, a[3]!, b[0]!].map((next, lane) => add(e, a[lane]!, mix(e, next, 7, 18, 3, true))),
  ),
  shaRow('SHA256MSG2', '0F 38 CD', (e, a, b) => {
    const step = (x: Value, y: Value) => add(e, x, mix(e, y, 17, 19, 10, true));
    const [first, second] = [step(a[0]!, b[2]!), step(a[1]!, b[3]!)];
    return [first, second, step(a[2]!, first), step(a[3]!, second)];
  }),
];

/** Intel SDM Vol. 2B "SHA256RNDS2—Perform Two Rounds of SHA256 Operation": words and constants are in XMM0. */
const SHA256RNDS2 = instruction('SHA256RNDS2', {
  encodings: [enc('RM0', 'NP 0F 38 CB /r', rw('x'), r('xu128'), r('xmm0'))],
  feature: 'SHA',
  semantics(e, destination, source, words) {
    let [h, g, d, c] = split(e, e.read(destination!)) as [Value, Value, Value, Value];
    let [f, e5, b, a] = split(e, e.read(source!)) as [Value, Value, Value, Value];
    for (const word of split(e, e.read(words!)).slice(0, 2)) {
      const first = add(e, choose(e, e5, f, g), mix(e, e5, 6, 11, 25, false), word, h);
      const second = add(e, majority(e, a, b, c), mix(e, a, 2, 13, 22, false));
      [h, g, f, e5] = [g, f, e5, add(e, first, d)];
      [d, c, b, a] = [c, b, a, add(e, first, second)];
    }
    e.write(destination!, join(e, [f, e5, b, a]));
  },
});

export const CRYPTO: readonly Instruction[] = [PCLMULQDQ, SHA1RNDS4, ...ROWS, SHA256RNDS2];
