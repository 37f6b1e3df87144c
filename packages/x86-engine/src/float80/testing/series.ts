/** The transcendental functions to some 450 bits, by their power series in fixed point: what float80's are held to. */
import type { Rational } from './reference.ts';

const BITS = 512n;
const ONE = 1n << BITS;

const fixed = ({ numerator, denominator }: Rational) => (numerator << BITS) / denominator;
const rational = (value: bigint): Rational => ({ numerator: value, denominator: ONE });
const times = (x: bigint, y: bigint) => (x * y) >> BITS;

/** x·(1 ± x²/3 + x⁴/5 ± …): the arctangent, or the inverse hyperbolic tangent, of what is at most one half. */
function oddPowers(x: bigint, sign: 1n | -1n): bigint {
  const square = times(x, x) * sign;
  let sum = 0n;
  for (let power = x, n = 1n; power !== 0n && power !== -1n; power = times(power, square), n += 2n)
    sum += power / n;
  return sum;
}

/** The sum of xⁿ/n!, for every n from `first` on in steps of `step`, with alternating signs or not. */
function factorials(x: bigint, first: bigint, step: bigint, sign: 1n | -1n): bigint {
  let item = ONE;
  for (let n = 1n; n <= first; n++) item = times(item, x) / n;
  let sum = 0n;
  for (let n = first; item !== 0n && item !== -1n; n += step) {
    sum += item;
    for (let k = n + 1n; k <= n + step; k++) item = times(item, x) / k;
    item *= sign;
  }
  return sum;
}

const LN_2 = 2n * oddPowers(ONE / 3n, 1n);
const PI = 16n * oddPowers(ONE / 5n, -1n) - 4n * oddPowers(ONE / 239n, -1n);

/** Intel SDM Vol. 1 §8.3.8 "Approximation of Pi": half of it. */
const HALF_PI_66: Rational = { numerator: 0xc90fdaa22168c234cn, denominator: 1n << 67n };

export function sineAndCosine(x: Rational): { readonly sine: bigint; readonly cosine: bigint } {
  const numerator = 2n * x.numerator * HALF_PI_66.denominator;
  const divisor = 2n * x.denominator * HALF_PI_66.numerator;
  // The nearest multiple, floored.
  const count = floorDivide(numerator + divisor / 2n, divisor);
  const rest = fixed({
    numerator: x.numerator * HALF_PI_66.denominator - count * HALF_PI_66.numerator * x.denominator,
    denominator: x.denominator * HALF_PI_66.denominator,
  });
  const sine = factorials(rest, 1n, 2n, -1n);
  const cosine = factorials(rest, 0n, 2n, -1n);
  switch (BigInt.asUintN(2, count)) {
    case 0n:
      return { sine, cosine };
    case 1n:
      return { sine: cosine, cosine: -sine };
    case 2n:
      return { sine: -sine, cosine: -cosine };
    default:
      return { sine: -cosine, cosine: sine };
  }
}

function floorDivide(x: bigint, y: bigint): bigint {
  const quotient = x / y;
  return x % y < 0n ? quotient - 1n : quotient;
}

export const sine = (x: Rational) => rational(sineAndCosine(x).sine);
export const cosine = (x: Rational) => rational(sineAndCosine(x).cosine);

export function tangent(x: Rational): Rational {
  const { sine, cosine } = sineAndCosine(x);
  return cosine < 0n ? { numerator: -sine, denominator: -cosine } : { numerator: sine, denominator: cosine };
}

/** 2^x - 1 */
export function powerLessOne(x: Rational): Rational {
  return rational(factorials(times(fixed(x), LN_2), 1n, 1n, 1n));
}

/** log2 of a positive number. */
export function logarithm({ numerator, denominator }: Rational): Rational {
  const power = BigInt(numerator.toString(2).length - denominator.toString(2).length);
  const scaled = power < 0n ? numerator << -power : numerator;
  const by = power < 0n ? denominator : denominator << power;
  const natural = 2n * oddPowers(fixed({ numerator: scaled - by, denominator: scaled + by }), 1n);
  return { numerator: natural + power * LN_2, denominator: LN_2 };
}

/** The angle of a point with neither coordinate zero. */
export function angle(y: Rational, x: Rational): Rational {
  const [rise, run] = [y.numerator * x.denominator, x.numerator * y.denominator];
  const [height, width] = [abs(rise), abs(run)];
  let turned = height > width ? PI / 2n - arctangent(width, height) : arctangent(height, width);
  if (run < 0n) turned = PI - turned;
  return rational(rise < 0n ? -turned : turned);
}

const abs = (x: bigint) => (x < 0n ? -x : x);

/** arctan a/b, at most one: directly, or from arctan 1/2 on. */
function arctangent(a: bigint, b: bigint): bigint {
  if (2n * a <= b) return oddPowers(fixed({ numerator: a, denominator: b }), -1n);
  const further = fixed({ numerator: 2n * a - b, denominator: 2n * b + a });
  return oddPowers(ONE / 2n, -1n) + oddPowers(further, -1n);
}
