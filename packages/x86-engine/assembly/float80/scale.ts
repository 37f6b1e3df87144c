/** Intel SDM Vol. 2A "FSCALE—Scale", "FXTRACT—Extract Exponent and Significand". */
import {
  BIAS,
  EXPONENT_MASK,
  exponentOf,
  INTEGER_BIT,
  isInfinity,
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
import { fild } from './integer';
import { denormalOne, denormalTwo, invalid, settleOne, settleTwo, UNSETTLED } from './operands';
import { roundAndPut } from './round';
import { atFullPrecision, isUnmasked, WITHHELD, ZERO_DIVIDE } from './status';

/** Enough to leave the range in either direction, with the exponent adjusted for an unmasked exception, too. */
const FAR: i32 = 0x10000;

/** a · 2^n, with b rounded toward zero as n. */
export function fscale(dst: usize, a: usize, b: usize, control: u32): u32 {
  const top = signExponentAt(a);
  const significand = significandAt(a);
  const scaleTop = signExponentAt(b);
  const scale = significandAt(b);
  const settled = settleTwo(dst, top, significand, scaleTop, scale, control);
  if (settled !== UNSETTLED) return settled;
  const hasNumber = exponentOf(top) !== EXPONENT_MASK;
  const isNothing = isZero(top, significand);
  const isInfinite = isInfinity(scaleTop, scale);
  const isUp = signOf(scaleTop) === 0;
  if (isInfinite && (isUp ? isNothing : !hasNumber)) return invalid(dst, control);
  const flags = denormalTwo(top, significand, scaleTop, scale, control);
  if (isUnmasked(flags, control)) return flags | WITHHELD;
  const sign = signOf(top);
  if (!hasNumber || isNothing) {
    put(dst, top, significand);
    return flags;
  }
  if (isInfinite) {
    if (isUp) putInfinity(dst, sign);
    else putZero(dst, sign);
    return flags;
  }
  const exponent = normalExponent(top, significand) + truncated(scaleTop, scale);
  return (
    flags | roundAndPut(dst, sign, exponent, normalSignificand(significand), 0, atFullPrecision(control))
  );
}

function truncated(top: u32, significand: u64): i32 {
  const power = exponentOf(top) - BIAS;
  if (power < 0) return 0;
  const magnitude = power < 16 ? ((significand >> (63 - power)) as i32) : FAR;
  return signOf(top) !== 0 ? -magnitude : magnitude;
}

/** Splits a into exponent and significand, which FXTRACT leaves in ST(1) and ST(0). */
export function fxtract(significandDst: usize, exponentDst: usize, a: usize, control: u32): u32 {
  const top = signExponentAt(a);
  const significand = significandAt(a);
  const settled = settleOne(significandDst, top, significand, control);
  if (settled !== UNSETTLED) {
    if ((settled & WITHHELD) === 0)
      put(exponentDst, signExponentAt(significandDst), significandAt(significandDst));
    return settled;
  }
  if (isZero(top, significand)) return extractZero(significandDst, exponentDst, top, control);
  const flags = denormalOne(top, significand);
  if (isUnmasked(flags, control)) return flags | WITHHELD;
  if (isInfinity(top, significand)) putInfinity(exponentDst, 0);
  else fild(exponentDst, normalExponent(top, significand) - BIAS);
  const unit = exponentOf(top) === EXPONENT_MASK ? EXPONENT_MASK : (BIAS as u32);
  put(significandDst, (top & SIGN_BIT) | unit, normalSignificand(significand));
  return flags;
}

function extractZero(significandDst: usize, exponentDst: usize, top: u32, control: u32): u32 {
  if (isUnmasked(ZERO_DIVIDE, control)) return ZERO_DIVIDE | WITHHELD;
  put(significandDst, top, 0);
  put(exponentDst, SIGN_BIT | EXPONENT_MASK, INTEGER_BIT);
  return ZERO_DIVIDE;
}
