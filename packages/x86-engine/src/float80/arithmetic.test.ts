import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_CONTROL, loadFloat80, SLOT, type Value } from './testing/float80-module.ts';
import { type Rational, rationalOf, round } from './testing/reference.ts';

const module = await loadFloat80();
const f80 = module.exports;
const { a, b, result, second } = SLOT;

const EXCEPTIONS_AND_C1 = 0x23f;
const DENORMAL = 0x02;
const runs = { numRuns: 2000, seed: 80 } as const;

/** Significands with long runs of ones and zeros, too: ties and carries come from those. */
const significands = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc
    .tuple(fc.bigInt({ min: 0n, max: 63n }), fc.bigInt({ min: 0n, max: 63n }))
    .map(([x, y]) => (1n << x) | (1n << y)),
  fc.bigInt({ min: 0n, max: 63n }).map((x) => (1n << 64n) - (1n << x)),
);
const exponents = fc.oneof(
  fc.integer({ min: 0x3fc0, max: 0x4040 }),
  fc.integer({ min: 0, max: 80 }),
  fc.integer({ min: 0x7fb0, max: 0x7ffe }),
  fc.integer({ min: 0, max: 0x7ffe }),
);
const finite = fc
  .tuple(fc.boolean(), exponents, significands)
  .map(([negative, exponent, significand]): Value => {
    const whole = exponent === 0 ? BigInt.asUintN(63, significand) : significand | (1n << 63n);
    return { top: exponent | (negative ? 0x8000 : 0), significand: whole };
  });
const nonZero = finite.filter(({ significand }) => significand !== 0n);
/** Every rounding and precision, all exceptions masked. */
const controls = fc
  .tuple(fc.integer({ min: 0, max: 3 }), fc.constantFrom(0, 2, 3))
  .map(([rounding, precision]) => (rounding << 10) | (precision << 8) | 0x3f);

const add = (x: Rational, y: Rational, sign: bigint): Rational => ({
  numerator: x.numerator * y.denominator + sign * y.numerator * x.denominator,
  denominator: x.denominator * y.denominator,
});
const inverse = ({ numerator, denominator }: Rational): Rational =>
  numerator < 0n
    ? { numerator: -denominator, denominator: -numerator }
    : { numerator: denominator, denominator: numerator };
const multiply = (x: Rational, y: Rational): Rational => ({
  numerator: x.numerator * y.numerator,
  denominator: x.denominator * y.denominator,
});

const OPERATIONS = {
  fadd: (x: Rational, y: Rational) => add(x, y, 1n),
  fsub: (x: Rational, y: Rational) => add(x, y, -1n),
  fmul: multiply,
  fdiv: (x: Rational, y: Rational) => multiply(x, inverse(y)),
};

const isDenormal = ({ top, significand }: Value) => (top & 0x7fff) === 0 && significand !== 0n;

describe('the exact result, rounded once (Intel SDM Vol. 1 §4.8.4)', () => {
  for (const [name, exact] of Object.entries(OPERATIONS))
    test(name, () => {
      fc.assert(
        fc.property(nonZero, nonZero, controls, (x, y, control) => {
          const sum = exact(rationalOf(x), rationalOf(y));
          fc.pre(sum.numerator !== 0n);
          const expected = round(sum, control);
          module.put(a, x);
          module.put(b, y);
          const flags = f80[name as keyof typeof OPERATIONS](result, a, b, control);
          const denormal = isDenormal(x) || isDenormal(y) ? DENORMAL : 0;
          assert.deepEqual(module.get(result), expected.value);
          assert.equal(flags & EXCEPTIONS_AND_C1, expected.flags | denormal);
        }),
        runs,
      );
    });

  test('fsqrt: no neighbour has a square nearer', () => {
    fc.assert(
      fc.property(nonZero, (x) => {
        module.put(a, { ...x, top: x.top & 0x7fff });
        f80.fsqrt(result, a, DEFAULT_CONTROL);
        const radicand = rationalOf({ ...x, top: x.top & 0x7fff });
        const { top, significand } = module.get(result);
        // Between the midpoints to both neighbours, which are exact with one bit more.
        const midpoint = (twice: bigint) => {
          const unit = rationalOf({ top, significand: 1n });
          return { numerator: unit.numerator * twice, denominator: unit.denominator * 2n };
        };
        const below = multiply(midpoint(2n * significand - 1n), midpoint(2n * significand - 1n));
        const above = multiply(midpoint(2n * significand + 1n), midpoint(2n * significand + 1n));
        assert.ok(add(radicand, below, -1n).numerator >= 0n);
        assert.ok(add(above, radicand, -1n).numerator >= 0n);
      }),
      runs,
    );
  });
});

describe('remainders', () => {
  for (const name of ['fprem', 'fprem1'] as const)
    test(`${name}, repeated until C2 is clear, is congruent to the dividend and small enough`, () => {
      fc.assert(
        fc.property(nonZero, nonZero, (x, y) => {
          module.put(a, x);
          module.put(b, y);
          while ((f80[name](a, a, b, DEFAULT_CONTROL) & 0x400) !== 0);
          const rest = rationalOf(module.get(a));
          const divisor = rationalOf(y);
          const quotient = multiply(add(rationalOf(x), rest, -1n), inverse(divisor));
          assert.equal(quotient.numerator % quotient.denominator, 0n);
          const ratio = multiply(rest, inverse(divisor));
          const size = ratio.numerator < 0n ? -ratio.numerator : ratio.numerator;
          if (name === 'fprem') assert.ok(size < ratio.denominator);
          else assert.ok(2n * size <= ratio.denominator);
        }),
        { ...runs, numRuns: 300 },
      );
    });
});

describe('conversions there and back', () => {
  test('float64, float32, int64 and packed decimals', () => {
    const view = module.view;
    fc.assert(
      fc.property(
        fc.double({ noNaN: true }),
        fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
        (x, n) => {
          view.setFloat64(a, x, true);
          f80.fld64(result, view.getBigUint64(a, true), DEFAULT_CONTROL);
          assert.equal(f80.fst64(b, result, DEFAULT_CONTROL), 0);
          assert.equal(view.getFloat64(b, true), x);
          f80.fst32(b, result, DEFAULT_CONTROL);
          assert.equal(view.getFloat32(b, true), Math.fround(x));
          f80.fild(result, n);
          assert.equal(f80.fist64(b, result, DEFAULT_CONTROL), 0);
          assert.equal(view.getBigInt64(b, true), n);
          const decimal = n % 10n ** 18n;
          f80.fild(result, decimal);
          assert.equal(f80.fbstp(b, result, DEFAULT_CONTROL), 0);
          f80.fbld(second, b);
          assert.deepEqual(module.get(second), module.get(result));
        },
      ),
      runs,
    );
  });
});

test('a result may go where an operand is', () => {
  fc.assert(
    fc.property(nonZero, nonZero, (x, y) => {
      for (const name of ['fadd', 'fmul', 'fdiv', 'fprem', 'fscale', 'fpatan', 'fyl2xp1'] as const)
        for (const dst of [a, b]) {
          module.put(a, x);
          module.put(b, y);
          const flags = f80[name](result, a, b, DEFAULT_CONTROL);
          assert.equal(f80[name](dst, a, b, DEFAULT_CONTROL), flags);
          assert.deepEqual(module.get(dst), module.get(result), name);
        }
    }),
    { ...runs, numRuns: 200 },
  );
});
