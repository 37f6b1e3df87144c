/** Intel SDM Vol. 2A "FPREM—Partial Remainder", "FPREM1—Partial Remainder". */
import {
  isInfinity,
  isZero,
  normalExponent,
  normalSignificand,
  put,
  putZero,
  signExponentAt,
  significandAt,
  signOf,
} from './format';
import { denormalTwo, invalid, settleTwo, UNSETTLED } from './operands';
import { roundAndPut } from './round';
import { atFullPrecision, C0, C1, C2, C3, isUnmasked, WITHHELD } from './status';
import { divideWide, remainder } from './wide';

/** The quotient rounded toward zero. */
export function fprem(dst: usize, a: usize, b: usize, control: u32): u32 {
  return partialRemainder(dst, a, b, false, control);
}

/** The quotient rounded to nearest, as IEEE 754 has it. */
export function fprem1(dst: usize, a: usize, b: usize, control: u32): u32 {
  return partialRemainder(dst, a, b, true, control);
}

function partialRemainder(dst: usize, aSlot: usize, bSlot: usize, toNearest: bool, control: u32): u32 {
  const aTop = signExponentAt(aSlot);
  const bTop = signExponentAt(bSlot);
  const a = significandAt(aSlot);
  const b = significandAt(bSlot);
  const settled = settleTwo(dst, aTop, a, bTop, b, control);
  if (settled !== UNSETTLED) return settled;
  if (isInfinity(aTop, a) || isZero(bTop, b)) return invalid(dst, control);
  const flags = denormalTwo(aTop, a, bTop, b, control);
  if (isUnmasked(flags, control)) return flags | WITHHELD;
  if (a === 0) {
    put(dst, aTop, a);
    return flags;
  }
  const sign = signOf(aTop);
  const exponent = normalExponent(aTop, a);
  const significand = normalSignificand(a);
  const exact = atFullPrecision(control);
  if (isInfinity(bTop, b)) return flags | roundAndPut(dst, sign, exponent, significand, 0, exact);
  const divisorExponent = normalExponent(bTop, b);
  const divisor = normalSignificand(b);
  const apart = exponent - divisorExponent;
  if (apart < 0)
    return flags | belowDivisor(dst, sign, exponent, significand, apart, divisor, toNearest, exact);
  if (apart < 64)
    return flags | reduce(dst, sign, significand, apart, divisorExponent, divisor, toNearest, exact);
  return flags | reducePartly(dst, sign, significand, apart, divisorExponent, divisor, exact);
}

/** A dividend with a smaller exponent is its own remainder, unless the nearest quotient is one. */
function belowDivisor(
  dst: usize,
  sign: u32,
  exponent: i32,
  a: u64,
  apart: i32,
  divisor: u64,
  toNearest: bool,
  control: u32,
): u32 {
  if (!toNearest || apart < -1 || a <= divisor) return roundAndPut(dst, sign, exponent, a, 0, control);
  // More than half of the divisor: divisor·2 - a, which is below a and in its units.
  const rest = divisor - (a - divisor);
  return putExact(dst, sign ^ 1, exponent, rest, control) | C1;
}

/** The whole remainder, C2 clear, and the quotient's lowest three bits in C0, C3 and C1. */
function reduce(
  dst: usize,
  sign: u32,
  a: u64,
  apart: i32,
  divisorExponent: i32,
  divisor: u64,
  toNearest: bool,
  control: u32,
): u32 {
  let quotient = divideShifted(a, apart, divisor);
  let rest = remainder;
  if (toNearest) {
    const other = divisor - rest;
    if (rest > other || (rest === other && (quotient & 1) !== 0)) {
      rest = other;
      sign ^= 1;
      quotient++;
    }
  }
  return putExact(dst, sign, divisorExponent, rest, control) | codes(quotient);
}

/** Reduces the exponents' difference to a multiple of 32 below it, by 32 to 63, as the processors looked at do. */
function reducePartly(
  dst: usize,
  sign: u32,
  a: u64,
  apart: i32,
  divisorExponent: i32,
  divisor: u64,
  control: u32,
): u32 {
  const by = 32 + (apart & 31);
  divideShifted(a, by, divisor);
  return putExact(dst, sign, divisorExponent + apart - by, remainder, control) | C2;
}

/** Quotient, modulo 2^64, and remainder of a·2^count and the divisor; both with their top bits set, count below 64. */
function divideShifted(a: u64, count: i32, divisor: u64): u64 {
  const isWhole = a >= divisor;
  const rest = isWhole ? a - divisor : a;
  const first = u64(isWhole) << count;
  if (count === 0) return divideWide(0, rest, divisor) + first;
  return divideWide(rest >> (64 - count), rest << count, divisor) + first;
}

/** Exact, so that #U appears only when it is not masked. */
function putExact(dst: usize, sign: u32, exponent: i32, rest: u64, control: u32): u32 {
  if (rest === 0) {
    putZero(dst, sign);
    return 0;
  }
  return roundAndPut(dst, sign, exponent - (clz(rest) as i32), normalSignificand(rest), 0, control);
}

function codes(quotient: u64): u32 {
  const bits = quotient as u32;
  return ((bits & 4) !== 0 ? C0 : 0) | ((bits & 2) !== 0 ? C3 : 0) | ((bits & 1) !== 0 ? C1 : 0);
}
