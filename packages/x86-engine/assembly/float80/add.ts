/** Intel SDM Vol. 2A "FADD/FADDP/FIADD—Add", "FSUB/FSUBP/FISUB—Subtract". */
import {
  exponentOf,
  INTEGER_BIT,
  isInfinity,
  isNormal,
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
import { DENORMAL_OPERAND, isUnmasked, RC_SHIFT, WITHHELD } from './status';
import { shiftLeft, shiftRightSticky, wideHigh } from './wide';

const RC_DOWN: u32 = 1;

export function fadd(dst: usize, a: usize, b: usize, control: u32): u32 {
  return addSigned(dst, signExponentAt(a), significandAt(a), signExponentAt(b), significandAt(b), 0, control);
}

/** a - b; FSUBR has them the other way round. */
export function fsub(dst: usize, a: usize, b: usize, control: u32): u32 {
  return addSigned(dst, signExponentAt(a), significandAt(a), signExponentAt(b), significandAt(b), 1, control);
}

/** `flip` turns the sign of b: not before NaNs are out of the way, which keep theirs. */
function addSigned(dst: usize, aTop: u32, a: u64, bTop: u32, b: u64, flip: u32, control: u32): u32 {
  if (isNormal(aTop, a) && isNormal(bTop, b) && (control & DENORMAL_OPERAND) === 0)
    return addFinite(
      dst,
      signOf(aTop),
      exponentOf(aTop),
      a,
      signOf(bTop) ^ flip,
      exponentOf(bTop),
      b,
      control,
    );
  const settled = settleTwo(dst, aTop, a, bTop, b, control);
  if (settled !== UNSETTLED) return settled;
  const aSign = signOf(aTop);
  const bSign = signOf(bTop) ^ flip;
  const aIsInfinity = isInfinity(aTop, a);
  const bIsInfinity = isInfinity(bTop, b);
  if (aIsInfinity && bIsInfinity && aSign !== bSign) return invalid(dst, control);
  const flags = denormalTwo(aTop, a, bTop, b, control);
  if (isUnmasked(flags, control)) return flags | WITHHELD;
  if (aIsInfinity || bIsInfinity) {
    putInfinity(dst, aIsInfinity ? aSign : bSign);
    return flags;
  }
  const aExponent = normalExponent(aTop, a);
  const bExponent = normalExponent(bTop, b);
  if (a !== 0 && b !== 0)
    return (
      flags |
      addFinite(dst, aSign, aExponent, normalSignificand(a), bSign, bExponent, normalSignificand(b), control)
    );
  if (a !== 0) return flags | roundAndPut(dst, aSign, aExponent, normalSignificand(a), 0, control);
  if (b !== 0) return flags | roundAndPut(dst, bSign, bExponent, normalSignificand(b), 0, control);
  putZero(dst, aSign === bSign ? aSign : signOfNothing(control));
  return flags;
}

/** The sign of the exact difference of equal numbers (Vol. 1 §4.8.3.1 "Signed Zeros"). */
function signOfNothing(control: u32): u32 {
  return ((control >> RC_SHIFT) & 3) === RC_DOWN ? 1 : 0;
}

function addFinite(
  dst: usize,
  aSign: u32,
  aExponent: i32,
  a: u64,
  bSign: u32,
  bExponent: i32,
  b: u64,
  control: u32,
): u32 {
  const aIsLarger = aExponent > bExponent || (aExponent === bExponent && a >= b);
  const sign = aIsLarger ? aSign : bSign;
  const exponent = aIsLarger ? aExponent : bExponent;
  const large = aIsLarger ? a : b;
  const apart = aIsLarger ? aExponent - bExponent : bExponent - aExponent;
  const low = shiftRightSticky(aIsLarger ? b : a, 0, apart);
  const high = wideHigh;
  if (aSign === bSign) return putSum(dst, sign, exponent, large, high, low, control);
  return putDifference(dst, sign, exponent, large, high, low, control);
}

function putSum(dst: usize, sign: u32, exponent: i32, large: u64, high: u64, low: u64, control: u32): u32 {
  const sum = large + high;
  if (sum >= large) return roundAndPut(dst, sign, exponent, sum, low, control);
  const carried = (sum << 63) | (low >> 1) | (low & 1);
  return roundAndPut(dst, sign, exponent + 1, INTEGER_BIT | (sum >> 1), carried, control);
}

function putDifference(
  dst: usize,
  sign: u32,
  exponent: i32,
  large: u64,
  high: u64,
  low: u64,
  control: u32,
): u32 {
  const difference = large - high - u64(low !== 0);
  const rest = 0 - low;
  if ((difference as i64) < 0) return roundAndPut(dst, sign, exponent, difference, rest, control);
  if (difference === 0 && rest === 0) {
    putZero(dst, signOfNothing(control));
    return 0;
  }
  const count = difference !== 0 ? (clz(difference) as i32) : 64 + (clz(rest) as i32);
  const shifted = shiftLeft(difference, rest, count);
  return roundAndPut(dst, sign, exponent - count, wideHigh, shifted, control);
}
