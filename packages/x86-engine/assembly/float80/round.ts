/**
 * Rounding: the last step of every operation. Intel SDM Vol. 1 §4.8.4 "Rounding", §8.1.5.2 "Precision Control Field",
 * §8.5.4 "Numeric Overflow Exception (#O)", §8.5.5 "Numeric Underflow Exception (#U)", §8.5.6 "Inexact-Result
 * (Precision) Exception (#P)".
 */
import { INTEGER_BIT, MAX_EXPONENT, put, putInfinity, putZero } from './format';
import { C1, cutBits, isUnmasked, OVERFLOW, PRECISION, RC_NEAREST, RC_SHIFT, UNDERFLOW } from './status';
import { shiftRightSticky, wideHigh } from './wide';

const HALF: u64 = 0x8000000000000000;

/** Added to or taken from the exponent of a result that an unmasked #O or #U delivers. */
const BIAS_ADJUSTMENT: i32 = 0x6000;

/** In an operation's control word: raise #P though the result came out exact. */
export const ALWAYS_INEXACT: u32 = 0x40000;

/** #P, and C1 for rounded up, of the last `roundedAt`. */
export let roundingFlags: u32 = 0;

/** Whether to add one unit, when `fraction` of 2^64 of a unit is left over. */
export function roundsUp(sign: u32, isOdd: bool, fraction: u64, control: u32): bool {
  const mode = (control >> RC_SHIFT) & 3;
  if (mode === RC_NEAREST) return fraction > HALF || (fraction === HALF && isOdd);
  // Away from zero is down for a negative number (1) and up for a positive one (2).
  return fraction !== 0 && mode === 2 - sign;
}

/** The significand without its lowest `cut` bits, rounded; 0 when it became 2^64. Sets `roundingFlags`. */
export function roundedAt(sign: u32, high: u64, low: u64, cut: u32, control: u32): u64 {
  const unit = (1 as u64) << cut;
  const kept = high & (0 - unit);
  const fraction = cut === 0 ? low : (high << (64 - cut)) | u64(low !== 0);
  roundingFlags = fraction !== 0 ? PRECISION : 0;
  if (!roundsUp(sign, (kept & unit) !== 0, fraction, control)) return kept;
  roundingFlags |= C1;
  return kept + unit;
}

/**
 * Stores the number whose significand is `high`, integer bit set, and the bits of `low` after it. The exponent is
 * biased, and may be out of range. Returns exceptions and C1.
 */
export function roundAndPut(dst: usize, sign: u32, exponent: i32, high: u64, low: u64, control: u32): u32 {
  if (((exponent - 1) as u32) < ((MAX_EXPONENT - 1) as u32) && cutBits(control) === 0) {
    let flags = low !== 0 ? PRECISION : 0;
    if (roundsUp(sign, (high & 1) !== 0, low, control)) {
      flags |= C1;
      high++;
      if (high === 0) {
        high = INTEGER_BIT;
        exponent++; // at most the largest
      }
    }
    put(dst, (sign << 15) | (exponent as u32), high);
    return flags | inexactAnyway(control);
  }
  return roundCarefully(dst, sign, exponent, high, low, control);
}

/** For results that the processor calls inexact without looking. */
function inexactAnyway(control: u32): u32 {
  return (control & ALWAYS_INEXACT) !== 0 ? PRECISION : 0;
}

function roundCarefully(dst: usize, sign: u32, exponent: i32, high: u64, low: u64, control: u32): u32 {
  let significand = roundedAt(sign, high, low, cutBits(control), control);
  let rounded = exponent;
  if (significand === 0) {
    significand = INTEGER_BIT;
    rounded++;
  }
  const flags = roundingFlags | inexactAnyway(control);
  // Tiny after rounding, as if the exponent had no limit.
  if (rounded < 1) {
    if (isUnmasked(UNDERFLOW, control)) return underflow(dst, sign, rounded, significand, flags);
    return denormalize(dst, sign, exponent, high, low, control);
  }
  if (rounded > MAX_EXPONENT) return overflow(dst, sign, rounded, significand, flags, control);
  put(dst, (sign << 15) | (rounded as u32), significand);
  return flags;
}

/** The unmasked response: an exponent too large by 24,576. Only FSCALE and FPATAN can need more. */
function underflow(dst: usize, sign: u32, exponent: i32, significand: u64, flags: u32): u32 {
  const adjusted = exponent + BIAS_ADJUSTMENT;
  if (adjusted < 1) {
    putZero(dst, sign);
    return UNDERFLOW | PRECISION;
  }
  put(dst, (sign << 15) | (adjusted as u32), significand);
  return UNDERFLOW | flags;
}

/** The masked response: a denormal, zero or the smallest normal; #U only if it is inexact. */
function denormalize(dst: usize, sign: u32, exponent: i32, high: u64, low: u64, control: u32): u32 {
  const remainder = shiftRightSticky(high, low, 1 - exponent);
  const significand = roundedAt(sign, wideHigh, remainder, cutBits(control), control);
  put(dst, (sign << 15) | ((significand >> 63) as u32), significand);
  const flags = roundingFlags | inexactAnyway(control);
  return (flags & PRECISION) !== 0 ? flags | UNDERFLOW : flags;
}

function overflow(dst: usize, sign: u32, exponent: i32, significand: u64, flags: u32, control: u32): u32 {
  if (isUnmasked(OVERFLOW, control)) {
    const adjusted = exponent - BIAS_ADJUSTMENT;
    if (adjusted <= MAX_EXPONENT) {
      put(dst, (sign << 15) | (adjusted as u32), significand);
      return OVERFLOW | flags;
    }
    putInfinity(dst, sign);
    return OVERFLOW | PRECISION | C1;
  }
  // As a rounding of something between the largest number and infinity.
  if (roundsUp(sign, true, HALF, control)) {
    putInfinity(dst, sign);
    return OVERFLOW | PRECISION | C1;
  }
  put(dst, (sign << 15) | (MAX_EXPONENT as u32), (0 as u64) - ((1 as u64) << cutBits(control)));
  return OVERFLOW | PRECISION;
}
