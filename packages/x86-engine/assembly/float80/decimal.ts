/**
 * Packed decimals of 18 digits, in ten bytes: Intel SDM Vol. 1 §4.7 "BCD and Packed BCD Integers", Vol. 2A
 * "FBLD—Load Binary Coded Decimal", "FBSTP—Store BCD Integer and Pop".
 */
import { exponentOf, signExponentAt, significandAt, signOf } from './format';
import { integerFlags, isFiniteBelow64, putInteger, roundedInteger } from './integer';
import { INVALID, isUnmasked, WITHHELD } from './status';

const DIGIT_BYTES: i32 = 9;
/** Above the largest packed decimal. */
const LIMIT: u64 = 1000000000000000000;

/** Reads ten bytes at `source`. Digits above nine are not checked, but count for what they are. */
export function fbld(dst: usize, source: usize): void {
  let magnitude: u64 = 0;
  for (let index = DIGIT_BYTES - 1; index >= 0; index--) {
    const pair = load<u8>(source + index) as u64;
    magnitude = magnitude * 100 + (pair >> 4) * 10 + (pair & 15);
  }
  putInteger(dst, (load<u8>(source, DIGIT_BYTES) >> 7) as u32, magnitude);
}

/** Stores ten bytes at `dst`: the number, or the packed decimal indefinite with #IA. */
export function fbstp(dst: usize, a: usize, control: u32): u32 {
  const top = signExponentAt(a);
  const significand = significandAt(a);
  if (isFiniteBelow64(top, significand)) {
    const magnitude = roundedInteger(signOf(top), exponentOf(top), significand, control);
    if (magnitude < LIMIT) {
      putDigits(dst, magnitude);
      store<u8>(dst, (signOf(top) << 7) as u8, DIGIT_BYTES);
      return integerFlags;
    }
  }
  if (isUnmasked(INVALID, control)) return INVALID | WITHHELD;
  // §4.8.3.7: FFFF C000 0000 0000 0000H.
  store<u64>(dst, 0xc000000000000000);
  store<u16>(dst, 0xffff, 8);
  return INVALID;
}

function putDigits(dst: usize, magnitude: u64): void {
  for (let index = 0; index < DIGIT_BYTES; index++) {
    const pair = (magnitude % 100) as u32;
    store<u8>(dst + index, (((pair / 10) << 4) | (pair % 10)) as u8);
    magnitude /= 100;
  }
}
