/** Intel SDM Vol. 2A "FDIV/FDIVP/FIDIV—Divide". */
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
import { DENORMAL_OPERAND, isUnmasked, WITHHELD, ZERO_DIVIDE } from './status';
import { divideWide, remainder } from './wide';

const HALF: u64 = 0x8000000000000000;

/** a / b; FDIVR has them the other way round. */
export function fdiv(dst: usize, a: usize, b: usize, control: u32): u32 {
  const aTop = signExponentAt(a);
  const bTop = signExponentAt(b);
  const aBits = significandAt(a);
  const bBits = significandAt(b);
  if (isNormal(aTop, aBits) && isNormal(bTop, bBits) && (control & DENORMAL_OPERAND) === 0)
    return divideFinite(dst, signOf(aTop ^ bTop), exponentOf(aTop) - exponentOf(bTop), aBits, bBits, control);
  return divideOther(dst, aTop, aBits, bTop, bBits, control);
}

function divideOther(dst: usize, aTop: u32, a: u64, bTop: u32, b: u64, control: u32): u32 {
  const settled = settleTwo(dst, aTop, a, bTop, b, control);
  if (settled !== UNSETTLED) return settled;
  const sign = signOf(aTop ^ bTop);
  const aIsInfinity = isInfinity(aTop, a);
  const bIsInfinity = isInfinity(bTop, b);
  const aIsZero = isZero(aTop, a);
  const bIsZero = isZero(bTop, b);
  if ((aIsInfinity && bIsInfinity) || (aIsZero && bIsZero)) return invalid(dst, control);
  if (bIsZero && !aIsInfinity) return divideByZero(dst, sign, control);
  const flags = denormalTwo(aTop, a, bTop, b, control);
  if (isUnmasked(flags, control)) return flags | WITHHELD;
  if (aIsInfinity) {
    putInfinity(dst, sign);
    return flags;
  }
  if (aIsZero || bIsInfinity) {
    putZero(dst, sign);
    return flags;
  }
  const apart = normalExponent(aTop, a) - normalExponent(bTop, b);
  return flags | divideFinite(dst, sign, apart, normalSignificand(a), normalSignificand(b), control);
}

/** Raises #Z, whose masked response is an infinity. It goes before #D. */
export function divideByZero(dst: usize, sign: u32, control: u32): u32 {
  if (isUnmasked(ZERO_DIVIDE, control)) return ZERO_DIVIDE | WITHHELD;
  putInfinity(dst, sign);
  return ZERO_DIVIDE;
}

function divideFinite(dst: usize, sign: u32, apart: i32, a: u64, b: u64, control: u32): u32 {
  const isLess = a < b;
  const quotient = divideWide(isLess ? a : a >> 1, isLess ? 0 : a << 63, b);
  const exponent = apart + (isLess ? BIAS - 1 : BIAS);
  return roundAndPut(dst, sign, exponent, quotient, fractionOf(remainder, b), control);
}

/** remainder / divisor as a fraction of 2^64, exact enough to round by: its first bit, and whether more follows. */
function fractionOf(rest: u64, divisor: u64): u64 {
  if (rest === 0) return 0;
  const other = divisor - rest;
  if (rest < other) return 1;
  return rest === other ? HALF : HALF | 1;
}
