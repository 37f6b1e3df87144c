/**
 * Numbers rounded to integers: Intel SDM Vol. 2A "FRNDINT—Round to Integer", "FIST/FISTP—Store Integer",
 * "FISTTP—Store Integer with Truncation", "FILD—Load Integer".
 */
import {
  BIAS,
  exponentOf,
  isUnsupported,
  normalSignificand,
  put,
  signExponentAt,
  significandAt,
  signOf,
} from './format';
import { denormalOne, settleOne, UNSETTLED } from './operands';
import { roundsUp } from './round';
import { C1, INVALID, isUnmasked, PRECISION, RC_SHIFT, RC_TRUNCATE, WITHHELD } from './status';

/** From this exponent on the significand has no bit below the units. */
const INTEGRAL_EXPONENT: i32 = BIAS + 63;

/** #P, and C1 for rounded up, of the last `roundedInteger`. */
export let integerFlags: u32 = 0;

/** The magnitude rounded to an integer, of a number below 2^64 whose significand may be denormal. */
export function roundedInteger(sign: u32, exponent: i32, significand: u64, control: u32): u64 {
  const below = INTEGRAL_EXPONENT - exponent;
  let whole: u64 = 0;
  let fraction: u64 = significand;
  if (below < 64) {
    whole = significand >> below;
    fraction = below === 0 ? 0 : significand << (64 - below);
  } else if (below > 64) {
    fraction = u64(significand !== 0);
  }
  integerFlags = fraction !== 0 ? PRECISION : 0;
  if (!roundsUp(sign, (whole & 1) !== 0, fraction, control)) return whole;
  integerFlags |= C1;
  return whole + 1;
}

export function frndint(dst: usize, a: usize, control: u32): u32 {
  const top = signExponentAt(a);
  const significand = significandAt(a);
  const settled = settleOne(dst, top, significand, control);
  if (settled !== UNSETTLED) return settled;
  const flags = denormalOne(top, significand);
  if (isUnmasked(flags, control)) return flags | WITHHELD;
  if (exponentOf(top) >= INTEGRAL_EXPONENT) {
    put(dst, top, significand);
    return flags;
  }
  const sign = signOf(top);
  putInteger(dst, sign, roundedInteger(sign, exponentOf(top), significand, control));
  return flags | integerFlags;
}

export function putInteger(dst: usize, sign: u32, magnitude: u64): void {
  const exponent = magnitude === 0 ? 0 : INTEGRAL_EXPONENT - (clz(magnitude) as i32);
  put(dst, (sign << 15) | (exponent as u32), normalSignificand(magnitude));
}

/** Every integer has a value in this format: no exception. */
export function fild(dst: usize, value: i64): void {
  const sign: u32 = value < 0 ? 1 : 0;
  putInteger(dst, sign, sign !== 0 ? 0 - (value as u64) : (value as u64));
}

/** The integer of the last `roundedWithin`, in two's complement. */
let roundedValue: i64 = 0;

/** Rounds to an integer of so many bits, or to the integer indefinite, the smallest one, with #IA. */
function roundedWithin(a: usize, bits: u32, control: u32): u32 {
  const top = signExponentAt(a);
  const significand = significandAt(a);
  const limit = (1 as u64) << (bits - 1);
  if (isFiniteBelow64(top, significand)) {
    const sign = signOf(top);
    const magnitude = roundedInteger(sign, exponentOf(top), significand, control);
    // Rounded up to 2^64 it is 0: that takes an exponent of 63, which is too large already.
    if (exponentOf(top) < INTEGRAL_EXPONENT ? magnitude < limit + sign : sign !== 0 && magnitude === limit) {
      roundedValue = sign !== 0 ? ((0 - magnitude) as i64) : (magnitude as i64);
      return integerFlags;
    }
  }
  roundedValue = (0 - limit) as i64;
  return isUnmasked(INVALID, control) ? INVALID | WITHHELD : INVALID;
}

export function isFiniteBelow64(top: u32, significand: u64): bool {
  return exponentOf(top) <= INTEGRAL_EXPONENT && !isUnsupported(top, significand);
}

/** Stores two bytes at `dst`. */
export function fist16(dst: usize, a: usize, control: u32): u32 {
  const flags = roundedWithin(a, 16, control);
  if ((flags & WITHHELD) === 0) store<u16>(dst, roundedValue as u16);
  return flags;
}

/** Stores four bytes at `dst`. */
export function fist32(dst: usize, a: usize, control: u32): u32 {
  const flags = roundedWithin(a, 32, control);
  if ((flags & WITHHELD) === 0) store<u32>(dst, roundedValue as u32);
  return flags;
}

/** Stores eight bytes at `dst`. */
export function fist64(dst: usize, a: usize, control: u32): u32 {
  const flags = roundedWithin(a, 64, control);
  if ((flags & WITHHELD) === 0) store<u64>(dst, roundedValue as u64);
  return flags;
}

function truncating(control: u32): u32 {
  return control | (RC_TRUNCATE << RC_SHIFT);
}

export function fisttp16(dst: usize, a: usize, control: u32): u32 {
  return fist16(dst, a, truncating(control));
}

export function fisttp32(dst: usize, a: usize, control: u32): u32 {
  return fist32(dst, a, truncating(control));
}

export function fisttp64(dst: usize, a: usize, control: u32): u32 {
  return fist64(dst, a, truncating(control));
}
