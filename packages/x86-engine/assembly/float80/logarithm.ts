// biome-ignore-all lint/correctness/noPrecisionLoss: AssemblyScript's integers have 64 bits.
/**
 * Intel SDM Vol. 2A "FYL2X—Compute y ∗ log2x", "FYL2XP1—Compute y ∗ log2(x +1)". As accurate as trigonometry.ts says,
 * and with the same caveat.
 */

import { divideByZero } from './divide';
import {
  BIAS,
  EXPONENT_MASK,
  exponentOf,
  INTEGER_BIT,
  isZero,
  normalExponent,
  normalSignificand,
  put,
  putInfinity,
  putZero,
  SIGN_BIT,
  signExponentAt,
  significandAt,
  signOf,
} from './format';
import { high, low, multiply, normalize } from './fraction';
import {
  computeLogarithm,
  computeLogarithmOfSum,
  isPowerOfTwo,
  logarithmPower,
  logarithmSign,
} from './logarithm-series';
import { denormalTwo, invalid, settleTwo, UNSETTLED } from './operands';
import { ALWAYS_INEXACT, roundAndPut } from './round';
import { atFullPrecision, isUnmasked, PRECISION, WITHHELD } from './status';

/** y·log2(x), y being ST(1) and x ST(0). */
export function fyl2x(dst: usize, y: usize, x: usize, control: u32): u32 {
  const yTop = signExponentAt(y);
  const xTop = signExponentAt(x);
  const yBits = significandAt(y);
  const xBits = significandAt(x);
  const settled = settleTwo(dst, xTop, xBits, yTop, yBits, control);
  if (settled !== UNSETTLED) return settled;
  const ySign = signOf(yTop);
  const yIsInfinite = exponentOf(yTop) === EXPONENT_MASK;
  const yIsZero = isZero(yTop, yBits);
  if (isZero(xTop, xBits)) {
    if (yIsZero) return invalid(dst, control);
    if (!yIsInfinite) return divideByZero(dst, ySign ^ 1, control);
  } else if (signOf(xTop) !== 0) return invalid(dst, control);
  const xIsInfinite = exponentOf(xTop) === EXPONENT_MASK;
  const xIsOne = exponentOf(xTop) === BIAS && xBits === INTEGER_BIT;
  if ((xIsInfinite && yIsZero) || (yIsInfinite && xIsOne)) return invalid(dst, control);
  const flags = denormalTwo(yTop, yBits, xTop, xBits, control);
  if (isUnmasked(flags, control)) return flags | WITHHELD;
  const sign = ySign ^ (exponentOf(xTop) < BIAS ? 1 : 0);
  if (xIsInfinite || yIsInfinite) putInfinity(dst, sign);
  else if (yIsZero || xIsOne) putZero(dst, sign);
  else {
    computeLogarithm(normalSignificand(xBits), 0, normalExponent(xTop, xBits) - (BIAS - 1));
    return flags | putProduct(dst, yTop, yBits, control);
  }
  return flags;
}

/**
 * y·log2(x + 1). The manual leaves it undefined beyond 1 less the root of one half; from -1 down, where there is no
 * logarithm, the processors looked at give x as it is.
 */
export function fyl2xp1(dst: usize, y: usize, x: usize, control: u32): u32 {
  const yTop = signExponentAt(y);
  const xTop = signExponentAt(x);
  const yBits = significandAt(y);
  const xBits = significandAt(x);
  const settled = settleTwo(dst, xTop, xBits, yTop, yBits, control);
  if (settled !== UNSETTLED) return settled;
  const yIsInfinite = exponentOf(yTop) === EXPONENT_MASK;
  const xIsInfinite = exponentOf(xTop) === EXPONENT_MASK;
  const yIsZero = isZero(yTop, yBits);
  const xIsZero = isZero(xTop, xBits);
  if ((xIsInfinite && (yIsZero || signOf(xTop) !== 0)) || (yIsInfinite && xIsZero))
    return invalid(dst, control);
  const flags = denormalTwo(yTop, yBits, xTop, xBits, control);
  if (isUnmasked(flags, control)) return flags | WITHHELD;
  const sign = signOf(xTop ^ yTop);
  if (xIsInfinite || yIsInfinite) putInfinity(dst, sign);
  else if (yIsZero || xIsZero) putZero(dst, sign);
  else if (xTop >= (SIGN_BIT | (BIAS as u32))) {
    put(dst, xTop, xBits);
    return flags | PRECISION;
  } else {
    computeLogarithmOfSum(signOf(xTop), normalSignificand(xBits), normalExponent(xTop, xBits) - (BIAS - 1));
    return flags | putProduct(dst, yTop, yBits, control);
  }
  return flags;
}

/** y times the logarithm just computed. Processors report #P for powers of two as well. */
function putProduct(dst: usize, yTop: u32, yBits: u64, control: u32): u32 {
  multiply(normalSignificand(yBits), 0);
  const exponent = normalExponent(yTop, yBits) + logarithmPower - normalize();
  const rest = isPowerOfTwo ? low : low | 1;
  const rounding = atFullPrecision(control) | ALWAYS_INEXACT;
  return roundAndPut(dst, signOf(yTop) ^ logarithmSign, exponent, high, rest, rounding);
}
