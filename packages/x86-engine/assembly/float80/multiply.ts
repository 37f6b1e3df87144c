/** Intel SDM Vol. 2A "FMUL/FMULP/FIMUL—Multiply". */
import {
  BIAS,
  exponentOf,
  isInfinity,
  isNormal,
  isZero,
  normalExponent,
  normalSignificand,
  putInfinity,
  putZero,
  signExponentAt,
  significandAt,
  signOf,
} from './format';
import { denormalTwo, invalid, settleTwo, UNSETTLED } from './operands';
import { roundAndPut } from './round';
import { DENORMAL_OPERAND, isUnmasked, WITHHELD } from './status';
import { multiplyWide, wideHigh } from './wide';

export function fmul(dst: usize, a: usize, b: usize, control: u32): u32 {
  const aTop = signExponentAt(a);
  const bTop = signExponentAt(b);
  const aBits = significandAt(a);
  const bBits = significandAt(b);
  if (isNormal(aTop, aBits) && isNormal(bTop, bBits) && (control & DENORMAL_OPERAND) === 0)
    return multiplyFinite(
      dst,
      signOf(aTop ^ bTop),
      exponentOf(aTop) + exponentOf(bTop),
      aBits,
      bBits,
      control,
    );
  return multiplyOther(dst, aTop, aBits, bTop, bBits, control);
}

function multiplyOther(dst: usize, aTop: u32, a: u64, bTop: u32, b: u64, control: u32): u32 {
  const settled = settleTwo(dst, aTop, a, bTop, b, control);
  if (settled !== UNSETTLED) return settled;
  const sign = signOf(aTop ^ bTop);
  const isInfinite = isInfinity(aTop, a) || isInfinity(bTop, b);
  const isNothing = isZero(aTop, a) || isZero(bTop, b);
  if (isInfinite && isNothing) return invalid(dst, control);
  const flags = denormalTwo(aTop, a, bTop, b, control);
  if (isUnmasked(flags, control)) return flags | WITHHELD;
  if (isInfinite) {
    putInfinity(dst, sign);
    return flags;
  }
  if (isNothing) {
    putZero(dst, sign);
    return flags;
  }
  const exponents = normalExponent(aTop, a) + normalExponent(bTop, b);
  return flags | multiplyFinite(dst, sign, exponents, normalSignificand(a), normalSignificand(b), control);
}

function multiplyFinite(dst: usize, sign: u32, exponents: i32, a: u64, b: u64, control: u32): u32 {
  const low = multiplyWide(a, b);
  const high = wideHigh;
  const exponent = exponents - (BIAS - 1);
  if ((high as i64) < 0) return roundAndPut(dst, sign, exponent, high, low, control);
  return roundAndPut(dst, sign, exponent - 1, (high << 1) | (low >> 63), low << 1, control);
}
