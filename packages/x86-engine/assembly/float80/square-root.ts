/** Intel SDM Vol. 2A "FSQRT—Square Root". */
import {
  BIAS,
  exponentOf,
  isInfinity,
  isNormal,
  normalExponent,
  normalSignificand,
  put,
  putInfinity,
  signExponentAt,
  significandAt,
  signOf,
} from './format';
import { denormalOne, invalid, settleOne, UNSETTLED } from './operands';
import { roundAndPut } from './round';
import { isUnmasked, WITHHELD } from './status';
import { multiplyWide, wideHigh } from './wide';

const TWO_32: f64 = 4294967296;
const TWO_64: f64 = TWO_32 * TWO_32;

export function fsqrt(dst: usize, a: usize, control: u32): u32 {
  const top = signExponentAt(a);
  const bits = significandAt(a);
  if (isNormal(top, bits) && signOf(top) === 0) return rootOf(dst, exponentOf(top), bits, control);
  const settled = settleOne(dst, top, bits, control);
  if (settled !== UNSETTLED) return settled;
  if (bits === 0) {
    put(dst, top, 0); // of either sign
    return 0;
  }
  if (signOf(top) !== 0) return invalid(dst, control);
  if (isInfinity(top, bits)) {
    putInfinity(dst, 0);
    return 0;
  }
  const flags = denormalOne(top, bits);
  if (isUnmasked(flags, control)) return flags | WITHHELD;
  return flags | rootOf(dst, normalExponent(top, bits), normalSignificand(bits), control);
}

function rootOf(dst: usize, exponent: i32, significand: u64, control: u32): u32 {
  // The radicand as 128 bits with an even exponent: its root then has 64.
  const isOdd = ((exponent - BIAS) & 1) !== 0;
  const high = isOdd ? significand : significand >> 1;
  const low = isOdd ? 0 : significand << 63;
  const root = rootOfWide(high, low);
  // The next bit of the root, by its square: (root + 1/2)² = root² + root + 1/4, so the rest decides against root.
  const square = multiplyWide(root, root);
  const restLow = low - square;
  const restHigh = high - wideHigh - u64(low < square);
  let fraction: u64 = restLow !== 0 || restHigh !== 0 ? 1 : 0;
  if (restHigh !== 0 || restLow > root) fraction |= 0x8000000000000000;
  return roundAndPut(dst, 0, ((exponent - BIAS) >> 1) + BIAS, root, fraction, control);
}

/** The root of 128 bits, of which one of the upper two is set, rounded down. */
function rootOfWide(high: u64, low: u64): u64 {
  // The hardware's root gives 52 bits, one step of Newton's method the rest, to a few units; the loops find those.
  const estimate = Math.sqrt(high as f64) * TWO_32;
  let root: u64 = estimate >= TWO_64 ? u64.MAX_VALUE : (estimate as u64);
  const square = multiplyWide(root, root);
  const errorHigh = (high - wideHigh - u64(low < square)) as i64;
  const error = (errorHigh as f64) * TWO_64 + ((low - square) as f64);
  root = stepped(root, (error / (2.0 * (root as f64))) as i64);
  while (isTooLarge(root, high, low)) root--;
  while (root !== u64.MAX_VALUE && !isTooLarge(root + 1, high, low)) root++;
  return root;
}

/** root + step, kept within 64 bits. */
function stepped(root: u64, step: i64): u64 {
  const next = root + (step as u64);
  if (step > 0 && next < root) return u64.MAX_VALUE;
  return next;
}

function isTooLarge(root: u64, high: u64, low: u64): bool {
  const square = multiplyWide(root, root);
  return wideHigh > high || (wideHigh === high && square > low);
}
