/**
 * 128-bit integers as two words. Wasm functions of this compiler return one value: the low word, or the quotient, is
 * returned, and the other word is left in a variable of this module until the next call.
 */

/** The high word of the last result. */
export let wideHigh: u64 = 0;

/** The remainder of the last `divideWide`. */
export let remainder: u64 = 0;

const WORD: u64 = 0xffffffff;

export function multiplyWide(a: u64, b: u64): u64 {
  const aLow = a & WORD;
  const aHigh = a >> 32;
  const bLow = b & WORD;
  const bHigh = b >> 32;
  const low = aLow * bLow;
  const middle = aHigh * bLow + (low >> 32);
  const other = aLow * bHigh + (middle & WORD);
  wideHigh = aHigh * bHigh + (middle >> 32) + (other >> 32);
  return (other << 32) | (low & WORD);
}

export function shiftLeft(high: u64, low: u64, count: i32): u64 {
  if (count >= 64) {
    wideHigh = count < 128 ? low << (count - 64) : 0;
    return 0;
  }
  wideHigh = count === 0 ? high : (high << count) | (low >> (64 - count));
  return low << count;
}

/** What falls off the end stays as a one in the lowest place. */
export function shiftRightSticky(high: u64, low: u64, count: i32): u64 {
  if (count === 0) {
    wideHigh = high;
    return low;
  }
  if (count < 64) {
    wideHigh = high >> count;
    return (high << (64 - count)) | (low >> count) | u64(low << (64 - count) !== 0);
  }
  wideHigh = 0;
  if (count === 64) return high | u64(low !== 0);
  if (count < 128) return (high >> (count - 64)) | (((high << (128 - count)) | low) !== 0 ? 1 : 0);
  return u64((high | low) !== 0);
}

/** The quotient of two words by one with its top bit set, which is larger than `high`. Knuth, TAOCP Vol. 2 §4.3.1. */
export function divideWide(high: u64, low: u64, divisor: u64): u64 {
  const upper = quotientDigit(high, low >> 32, divisor);
  const lower = quotientDigit(remainder, low & WORD, divisor);
  return (upper << 32) | lower;
}

/** One digit to the base 2^32. Leaves the remainder. */
function quotientDigit(high: u64, next: u64, divisor: u64): u64 {
  const divisorHigh = divisor >> 32;
  const divisorLow = divisor & WORD;
  let digit = high / divisorHigh;
  let rest = high - digit * divisorHigh;
  while (digit > WORD || digit * divisorLow > ((rest << 32) | next)) {
    digit--;
    rest += divisorHigh;
    if (rest > WORD) break;
  }
  remainder = ((high << 32) | next) - digit * divisor;
  return digit;
}
