import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_CONTROL, loadFloat80, SLOT, type Value } from './testing/float80-module.ts';
import { type Rational, rationalOf, round } from './testing/reference.ts';
import { angle, cosine, logarithm, powerLessOne, sine, tangent } from './testing/series.ts';

const module = await loadFloat80();
const f80 = module.exports;
const { a, b, result, second } = SLOT;

const PRECISION_AND_C1 = 0x220;
const C2 = 0x400;
const runs = { numRuns: 2000, seed: 80 } as const;

/** Numbers of either sign with an exponent, not biased, in this range. */
const numbers = (min: number, max: number) =>
  fc
    .tuple(fc.boolean(), fc.integer({ min, max }), fc.bigInt({ min: 1n << 63n, max: (1n << 64n) - 1n }))
    .map(([negative, exponent, significand]): Value => {
      return { top: (0x3fff + exponent) | (negative ? 0x8000 : 0), significand };
    });
const positive = (min: number, max: number) =>
  numbers(min, max).map(({ top, significand }) => ({ top: top & 0x7fff, significand }));
/** Every rounding, all exceptions masked; the precision control is to have no effect. */
const controls = fc
  .tuple(fc.integer({ min: 0, max: 3 }), fc.constantFrom(0, 2, 3))
  .map(([rounding, precision]) => (rounding << 10) | (precision << 8) | 0x3f);

function expectRounded(slot: number, flags: number, exact: Rational, control: number): void {
  const expected = round(exact, control | 0x300);
  assert.deepEqual(module.get(slot), expected.value);
  assert.equal(flags & PRECISION_AND_C1, expected.flags);
}

const times = (x: Rational, y: Rational): Rational => ({
  numerator: x.numerator * y.numerator,
  denominator: x.denominator * y.denominator,
});

describe('the true result, rounded once', () => {
  for (const [name, exact] of Object.entries({ fsin: sine, fcos: cosine, fptan: tangent }))
    test(`${name}, of the argument reduced by the 66-bit Pi`, () => {
      fc.assert(
        fc.property(fc.oneof(numbers(-60, 62), numbers(-3, 3)), controls, (x, control) => {
          module.put(a, x);
          const flags = f80[name as 'fsin' | 'fcos' | 'fptan'](result, a, control);
          expectRounded(result, flags, exact(rationalOf(x)), control);
        }),
        runs,
      );
    });

  test('f2xm1', () => {
    fc.assert(
      fc.property(fc.oneof(numbers(-60, -1), numbers(-3, -1)), controls, (x, control) => {
        module.put(a, x);
        expectRounded(result, f80.f2xm1(result, a, control), powerLessOne(rationalOf(x)), control);
      }),
      runs,
    );
  });

  test('fyl2x', () => {
    fc.assert(
      fc.property(numbers(-9, 9), fc.oneof(positive(-1, 1), positive(-60, 60)), controls, (y, x, control) => {
        fc.pre(x.significand !== 1n << 63n); // a power of two: inexact by decree
        module.put(b, y);
        module.put(a, x);
        const exact = times(rationalOf(y), logarithm(rationalOf(x)));
        expectRounded(result, f80.fyl2x(result, b, a, control), exact, control);
      }),
      runs,
    );
  });

  test('fyl2xp1, also where the manual leaves it undefined', () => {
    fc.assert(
      fc.property(numbers(-9, 9), fc.oneof(numbers(-60, -1), positive(-3, 80)), controls, (y, x, control) => {
        module.put(b, y);
        module.put(a, x);
        const { numerator, denominator } = rationalOf(x);
        const exact = times(rationalOf(y), logarithm({ numerator: numerator + denominator, denominator }));
        fc.pre(exact.numerator % exact.denominator !== 0n);
        expectRounded(result, f80.fyl2xp1(result, b, a, control), exact, control);
      }),
      runs,
    );
  });

  test('fpatan', () => {
    fc.assert(
      fc.property(fc.oneof(numbers(-2, 2), numbers(-30, 30)), numbers(-2, 2), controls, (y, x, control) => {
        module.put(b, y);
        module.put(a, x);
        expectRounded(
          result,
          f80.fpatan(result, b, a, control),
          angle(rationalOf(y), rationalOf(x)),
          control,
        );
      }),
      runs,
    );
  });
});

describe('the range of arguments (Intel SDM Vol. 1 §8.3.7 "Trigonometric Instructions")', () => {
  const largest: Value = { top: 0x3fff + 62, significand: (1n << 64n) - 1n };
  const beyond: Value = { top: 0x3fff + 63, significand: 1n << 63n };
  const untouched: Value = { top: 0x1234, significand: 5n };

  for (const name of ['fsin', 'fcos', 'fptan'] as const)
    test(`${name} reduces anything below 2^63; from there on it sets C2 and writes nothing`, () => {
      module.put(a, largest);
      assert.equal(f80[name](result, a, DEFAULT_CONTROL) & C2, 0);
      module.put(a, beyond);
      module.put(result, untouched);
      assert.equal(f80[name](result, a, DEFAULT_CONTROL), C2);
      assert.deepEqual(module.get(result), untouched);
    });

  test('fsincos as well', () => {
    module.put(a, beyond);
    for (const slot of [result, second]) module.put(slot, untouched);
    assert.equal(f80.fsincos(result, second, a, DEFAULT_CONTROL), C2);
    for (const slot of [result, second]) assert.deepEqual(module.get(slot), untouched);
  });
});

test('fsincos gives what fsin and fcos give', () => {
  fc.assert(
    fc.property(numbers(-60, 62), controls, (x, control) => {
      module.put(a, x);
      f80.fsincos(result, second, a, control);
      const both = [module.get(result), module.get(second)];
      f80.fsin(result, a, control);
      f80.fcos(second, a, control);
      assert.deepEqual(both, [module.get(result), module.get(second)]);
    }),
    runs,
  );
});

test('neighbours keep their order', () => {
  const ordinal = ({ top, significand }: Value) => (BigInt(top) << 64n) | significand;
  fc.assert(
    fc.property(positive(-12, -1), ({ top, significand }) => {
      fc.pre(significand !== (1n << 64n) - 1n);
      for (const name of ['fsin', 'fptan', 'f2xm1'] as const) {
        module.put(a, { top, significand });
        module.put(b, { top, significand: significand + 1n });
        f80[name](result, a, DEFAULT_CONTROL);
        f80[name](second, b, DEFAULT_CONTROL);
        assert.ok(ordinal(module.get(result)) <= ordinal(module.get(second)), name);
      }
    }),
    runs,
  );
});
