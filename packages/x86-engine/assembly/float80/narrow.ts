/**
 * Single and double precision, in and out: Intel SDM Vol. 1 §4.2.2 "Floating-Point Data Types", Vol. 2A "FLD—Load
 * Floating-Point Value", "FST/FSTP—Store Floating-Point Value". Their ten-byte forms copy and raise nothing.
 */
import {
  BIAS,
  EXPONENT_MASK,
  exponentOf,
  INTEGER_BIT,
  isSignaling,
  isUnsupported,
  isZero,
  normalExponent,
  normalSignificand,
  put,
  quieted,
  signExponentAt,
  significandAt,
  signOf,
} from './format';
import { roundedAt, roundingFlags, roundsUp } from './round';
import {
  C1,
  DENORMAL,
  DENORMAL_OPERAND,
  INVALID,
  isUnmasked,
  OVERFLOW,
  PRECISION,
  UNDERFLOW,
  WITHHELD,
} from './status';
import { shiftRightSticky, wideHigh } from './wide';

const HALF: u64 = 0x8000000000000000;

/** Widens a memory operand of an arithmetic instruction. Returns DENORMAL_OPERAND to add to its control word, or 0. */
export function widen32(dst: usize, bits: u32): u32 {
  return widen(dst, (bits as u64) << 32, 8);
}

export function widen64(dst: usize, bits: u64): u32 {
  return widen(dst, bits, 11);
}

/** `bits` begin at the top of the word; a signaling NaN stays one. */
function widen(dst: usize, bits: u64, exponentBits: u32): u32 {
  const sign = (bits >> 63) as u32;
  const maximum = (1 << exponentBits) - 1;
  const exponent = ((bits << 1) >> (64 - exponentBits)) as i32;
  const fraction = bits << (1 + exponentBits);
  const bias = maximum >> 1;
  if (exponent === maximum) put(dst, (sign << 15) | EXPONENT_MASK, INTEGER_BIT | (fraction >> 1));
  else if (exponent !== 0)
    put(dst, (sign << 15) | ((exponent - bias + BIAS) as u32), INTEGER_BIT | (fraction >> 1));
  else if (fraction === 0) put(dst, sign << 15, 0);
  else {
    const leading = clz(fraction) as i32;
    put(dst, (sign << 15) | ((BIAS - bias - leading) as u32), fraction << leading);
    return DENORMAL_OPERAND;
  }
  return 0;
}

export function fld32(dst: usize, bits: u32, control: u32): u32 {
  const isSignalingNaN = (bits & 0x7fc00000) === 0x7f800000 && (bits & 0x003fffff) !== 0;
  if (isSignalingNaN && isUnmasked(INVALID, control)) return INVALID | WITHHELD;
  return loaded(dst, widen32(dst, bits));
}

export function fld64(dst: usize, bits: u64, control: u32): u32 {
  const isSignalingNaN =
    (bits & 0x7ff8000000000000) === 0x7ff0000000000000 && (bits & 0x0007ffffffffffff) !== 0;
  if (isSignalingNaN && isUnmasked(INVALID, control)) return INVALID | WITHHELD;
  return loaded(dst, widen64(dst, bits));
}

/** #D does not hold a load back, masked or not, on the processors looked at. */
function loaded(dst: usize, denormalOperand: u32): u32 {
  if (denormalOperand !== 0) return DENORMAL;
  const significand = significandAt(dst);
  if (!isSignaling(signExponentAt(dst), significand)) return 0;
  put(dst, signExponentAt(dst), quieted(significand));
  return INVALID;
}

/** Stores four bytes at `dst`. */
export function fst32(dst: usize, a: usize, control: u32): u32 {
  const flags = narrow(signExponentAt(a), significandAt(a), 8, control);
  if ((flags & WITHHELD) === 0) store<u32>(dst, (narrowed >> 32) as u32);
  return flags;
}

/** Stores eight bytes at `dst`. */
export function fst64(dst: usize, a: usize, control: u32): u32 {
  const flags = narrow(signExponentAt(a), significandAt(a), 11, control);
  if ((flags & WITHHELD) === 0) store<u64>(dst, narrowed);
  return flags;
}

/** The number of the last `narrow`, from the top of the word down. */
let narrowed: u64 = 0;

function narrow(top: u32, significand: u64, exponentBits: u32, control: u32): u32 {
  const sign = signOf(top);
  const maximum = (1 << exponentBits) - 1;
  if (isUnsupported(top, significand))
    return narrowNaN(1, maximum, exponentBits, quieted(0), INVALID, control);
  if (exponentOf(top) === EXPONENT_MASK) {
    const raised = isSignaling(top, significand) ? INVALID : 0;
    const fraction = significand === INTEGER_BIT ? 0 : quieted(significand);
    return narrowNaN(sign, maximum, exponentBits, fraction, raised, control);
  }
  if (isZero(top, significand)) {
    narrowed = (sign as u64) << 63;
    return 0;
  }
  const exponent = normalExponent(top, significand) - BIAS + (maximum >> 1);
  return narrowFinite(sign, exponent, normalSignificand(significand), exponentBits, control);
}

/** An infinity or NaN: the fraction's bits that fit, those after the integer bit. */
function narrowNaN(
  sign: u32,
  maximum: u32,
  exponentBits: u32,
  fraction: u64,
  raised: u32,
  control: u32,
): u32 {
  if (isUnmasked(raised, control)) return raised | WITHHELD;
  assemble(sign, maximum, fraction & (0 - ((1 as u64) << cutOf(exponentBits))), exponentBits);
  return raised;
}

/** The bits of a significand that a format with this exponent has no place for. */
function cutOf(exponentBits: u32): u32 {
  return exponentBits === 8 ? 40 : 11;
}

/** `significand` has its integer bit at the top, where it is dropped. */
function assemble(sign: u32, exponent: u32, significand: u64, exponentBits: u32): void {
  narrowed =
    ((sign as u64) << 63) |
    ((exponent as u64) << (63 - exponentBits)) |
    ((significand << 1) >> (1 + exponentBits));
}

/** With #O or #U unmasked nothing is stored, and nothing else is raised. */
function narrowFinite(sign: u32, exponent: i32, significand: u64, exponentBits: u32, control: u32): u32 {
  const cut = cutOf(exponentBits);
  let rounded = roundedAt(sign, significand, 0, cut, control);
  let result = exponent;
  if (rounded === 0) {
    rounded = INTEGER_BIT;
    result++;
  }
  if (result >= (1 << exponentBits) - 1) return narrowOverflow(sign, exponentBits, control);
  if (result < 1) {
    if (isUnmasked(UNDERFLOW, control)) return UNDERFLOW | WITHHELD;
    const low = shiftRightSticky(significand, 0, 1 - exponent);
    rounded = roundedAt(sign, wideHigh, low, cut, control);
    assemble(sign, (rounded >> 63) as u32, rounded, exponentBits);
    return roundingFlags !== 0 ? roundingFlags | UNDERFLOW : 0;
  }
  assemble(sign, result, rounded, exponentBits);
  return roundingFlags;
}

function narrowOverflow(sign: u32, exponentBits: u32, control: u32): u32 {
  if (isUnmasked(OVERFLOW, control)) return OVERFLOW | WITHHELD;
  const maximum: u32 = (1 << exponentBits) - 1;
  if (roundsUp(sign, true, HALF, control)) {
    assemble(sign, maximum, 0, exponentBits);
    return OVERFLOW | PRECISION | C1;
  }
  assemble(sign, maximum - 1, 0 - ((1 as u64) << cutOf(exponentBits)), exponentBits);
  return OVERFLOW | PRECISION;
}
