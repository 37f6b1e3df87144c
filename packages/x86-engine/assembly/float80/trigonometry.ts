/**
 * Intel SDM Vol. 2A "FSIN—Sine", "FCOS—Cosine", "FSINCOS—Sine and Cosine", "FPTAN—Partial Tangent".
 *
 * Processors of different makers differ in these instructions' last bit. Here results are the true ones of the
 * argument reduced by Pi (sine.ts), rounded: in error by half a unit in the last place and, once in some 2^50
 * results, a trace more. That also makes them monotonic.
 *
 * An argument beyond the range gives C2 and nothing else; nothing is written.
 */
import {
  BIAS,
  EXPONENT_MASK,
  exponentOf,
  INTEGER_BIT,
  put,
  signExponentAt,
  significandAt,
  signOf,
} from './format';
import { divide, high, low } from './fraction';
import { denormalOne, invalid, settleOne, UNSETTLED } from './operands';
import { roundAndPut } from './round';
import {
  computeCosine,
  computeSine,
  computeTrivialTangent,
  isTangentTrivial,
  RANGE_EXPONENT,
  reduceArgument,
  resultPower,
  resultSign,
} from './sine';
import { atFullPrecision, C2, EXCEPTIONS, isUnmasked, WITHHELD } from './status';

/** NaNs, infinities, denormals that trap, arguments out of range: UNSETTLED, or the instruction's result. */
function settleAngle(dst: usize, top: u32, significand: u64, control: u32): u32 {
  const settled = settleOne(dst, top, significand, control);
  if (settled !== UNSETTLED) return settled;
  if (exponentOf(top) === EXPONENT_MASK) return invalid(dst, control);
  if (exponentOf(top) >= RANGE_EXPONENT) return C2;
  const flags = denormalOne(top, significand);
  return isUnmasked(flags, control) ? flags | WITHHELD : UNSETTLED;
}

/** Never exact. */
function putNumber(dst: usize, sign: u32, power: i32, control: u32): u32 {
  return roundAndPut(dst, sign, power + BIAS - 1, high, low | 1, atFullPrecision(control));
}

export function fsin(dst: usize, a: usize, control: u32): u32 {
  const top = signExponentAt(a);
  const significand = significandAt(a);
  const settled = settleAngle(dst, top, significand, control);
  if (settled !== UNSETTLED) return settled;
  return denormalOne(top, significand) | putSine(dst, top, significand, control);
}

function putSine(dst: usize, top: u32, significand: u64, control: u32): u32 {
  if (significand === 0) {
    put(dst, top, 0);
    return 0;
  }
  reduceArgument(top, significand);
  computeSine(signOf(top));
  return putNumber(dst, resultSign, resultPower, control);
}

export function fcos(dst: usize, a: usize, control: u32): u32 {
  const top = signExponentAt(a);
  const significand = significandAt(a);
  const settled = settleAngle(dst, top, significand, control);
  if (settled !== UNSETTLED) return settled;
  return denormalOne(top, significand) | putCosine(dst, top, significand, control);
}

function putCosine(dst: usize, top: u32, significand: u64, control: u32): u32 {
  if (significand === 0) {
    put(dst, BIAS, INTEGER_BIT);
    return 0;
  }
  reduceArgument(top, significand);
  computeCosine();
  return putNumber(dst, resultSign, resultPower, control);
}

/** The cosine goes to ST(0), above the sine. C1 is the sine's. */
export function fsincos(sineDst: usize, cosineDst: usize, a: usize, control: u32): u32 {
  const top = signExponentAt(a);
  const significand = significandAt(a);
  const settled = settleAngle(sineDst, top, significand, control);
  if (settled !== UNSETTLED) {
    if ((settled & (WITHHELD | C2)) === 0) put(cosineDst, signExponentAt(sineDst), significandAt(sineDst));
    return settled;
  }
  const cosineFlags = putCosine(cosineDst, top, significand, control) & EXCEPTIONS;
  return denormalOne(top, significand) | cosineFlags | putSine(sineDst, top, significand, control);
}

/** The tangent. The 1.0 that FPTAN pushes on it is the engine's to push; after a NaN it pushes that again. */
export function fptan(dst: usize, a: usize, control: u32): u32 {
  const top = signExponentAt(a);
  const significand = significandAt(a);
  const settled = settleAngle(dst, top, significand, control);
  if (settled !== UNSETTLED) return settled;
  const flags = denormalOne(top, significand);
  if (significand === 0) {
    put(dst, top, 0);
    return flags;
  }
  reduceArgument(top, significand);
  if (isTangentTrivial()) {
    computeTrivialTangent(signOf(top));
    return flags | putNumber(dst, resultSign, resultPower, control);
  }
  computeCosine();
  const cosineHigh = high;
  const cosineLow = low;
  const cosinePower = resultPower;
  const cosineSign = resultSign;
  computeSine(signOf(top));
  const power = resultPower - cosinePower + divide(cosineHigh, cosineLow);
  return flags | putNumber(dst, resultSign ^ cosineSign, power, control);
}
