/**
 * The double extended-precision format: Intel SDM Vol. 1 §4.2.2 "Floating-Point Data Types" and §8.2.2 "Unsupported
 * Double Extended-Precision Floating-Point Encodings and Pseudo-Denormals".
 *
 * A value is a 64-bit significand, its integer bit explicit, and 16 bits of sign and biased exponent. In memory it has
 * a slot of 16 bytes and uses ten. Functions take the two words.
 */

export const INTEGER_BIT: u64 = 0x8000000000000000;
const QUIET_BIT: u64 = 0x4000000000000000;
export const SIGN_BIT: u32 = 0x8000;
export const EXPONENT_MASK: u32 = 0x7fff;
export const BIAS: i32 = 0x3fff;
export const MAX_EXPONENT: i32 = 0x7ffe;

export function significandAt(slot: usize): u64 {
  return load<u64>(slot);
}

export function signExponentAt(slot: usize): u32 {
  return load<u16>(slot, 8);
}

export function put(slot: usize, signExponent: u32, significand: u64): void {
  store<u64>(slot, significand);
  store<u16>(slot, signExponent as u16, 8);
}

export function putZero(slot: usize, sign: u32): void {
  put(slot, sign << 15, 0);
}

export function putInfinity(slot: usize, sign: u32): void {
  put(slot, (sign << 15) | EXPONENT_MASK, INTEGER_BIT);
}

/** The real indefinite QNaN (Vol. 1 §4.8.3.7 "QNaN Floating-Point Indefinite"). */
export function putIndefinite(slot: usize): void {
  put(slot, SIGN_BIT | EXPONENT_MASK, INTEGER_BIT | QUIET_BIT);
}

export function signOf(signExponent: u32): u32 {
  return (signExponent >> 15) & 1;
}

export function exponentOf(signExponent: u32): i32 {
  return (signExponent & EXPONENT_MASK) as i32;
}

/** Neither zero, denormal, infinity nor NaN, and a supported encoding. */
export function isNormal(signExponent: u32, significand: u64): bool {
  return (signExponent & EXPONENT_MASK) - 1 < 0x7ffe && (significand as i64) < 0;
}

/** Unnormals, pseudo-infinities and pseudo-NaNs: an exponent that asks for the integer bit, without it. */
export function isUnsupported(signExponent: u32, significand: u64): bool {
  return (significand as i64) >= 0 && (signExponent & EXPONENT_MASK) !== 0;
}

export function isNotNumber(signExponent: u32, significand: u64): bool {
  return exponentOf(signExponent) === EXPONENT_MASK && significand > INTEGER_BIT;
}

export function isSignaling(signExponent: u32, significand: u64): bool {
  return isNotNumber(signExponent, significand) && (significand & QUIET_BIT) === 0;
}

export function quieted(significand: u64): u64 {
  return significand | QUIET_BIT;
}

export function isInfinity(signExponent: u32, significand: u64): bool {
  return exponentOf(signExponent) === EXPONENT_MASK && significand === INTEGER_BIT;
}

export function isZero(signExponent: u32, significand: u64): bool {
  return significand === 0 && exponentOf(signExponent) === 0;
}

/** Denormals and pseudo-denormals: both raise #D. */
export function isDenormal(signExponent: u32, significand: u64): bool {
  return exponentOf(signExponent) === 0 && significand !== 0;
}

/** The exponent that a finite number other than zero has once its significand is shifted up to the integer bit. */
export function normalExponent(signExponent: u32, significand: u64): i32 {
  const exponent = exponentOf(signExponent);
  return exponent !== 0 ? exponent : 1 - (clz(significand) as i32);
}

export function normalSignificand(significand: u64): u64 {
  return significand << clz(significand);
}
