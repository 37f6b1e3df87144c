/**
 * Fractions of 128 bits, for the transcendental instructions: an accumulator, power series, and a quotient.
 *
 * A fraction is high·2^-64 + low·2^-128, below one. A number is a fraction whose top bit is set times a power of two;
 * the power is the caller's to keep. Products are truncated, and at most three units too small.
 */
import { divideWide, multiplyWide, shiftLeft, shiftRightSticky, wideHigh } from './wide';

/** The accumulator. */
export let high: u64 = 0;
export let low: u64 = 0;

export function set(fractionHigh: u64, fractionLow: u64): void {
  high = fractionHigh;
  low = fractionLow;
}

export function multiply(byHigh: u64, byLow: u64): void {
  multiplyWide(high, byLow);
  const across = wideHigh;
  multiplyWide(low, byHigh);
  const middle = across + wideHigh;
  const carry = u64(middle < across);
  const product = multiplyWide(high, byHigh);
  low = product + middle;
  high = wideHigh + carry + u64(low < middle);
}

/** Returns the carry. */
export function add(fractionHigh: u64, fractionLow: u64): u64 {
  low += fractionLow;
  const carry = u64(low < fractionLow);
  const sum = high + fractionHigh;
  high = sum + carry;
  return u64(sum < fractionHigh) | u64(high < carry);
}

/** The fraction given less the accumulator, modulo one. */
export function subtractFrom(fractionHigh: u64, fractionLow: u64): void {
  const borrow = u64(fractionLow < low);
  low = fractionLow - low;
  high = fractionHigh - high - borrow;
}

/** One less the accumulator, which ends below one also when the accumulator has vanished. */
export function complement(): void {
  low |= 1;
  subtractFrom(0, 0);
}

export function shiftDown(count: i32): void {
  low = shiftRightSticky(high, low, count);
  high = wideHigh;
}

/** Shifts the top bit into its place; returns by how far. Not for zero. */
export function normalize(): i32 {
  const count = (high !== 0 ? clz(high) : 64 + clz(low)) as i32;
  low = shiftLeft(high, low, count);
  high = wideHigh;
  return count;
}

let variableHigh: u64 = 0;
let variableLow: u64 = 0;
let isAlternating: bool = false;

/** Begins a power series in the variable, from its highest term down (Horner's rule). */
export function beginSeries(ofHigh: u64, ofLow: u64, alternating: bool): void {
  variableHigh = ofHigh;
  variableLow = ofLow;
  isAlternating = alternating;
  set(0, 0);
}

/** The next lower coefficient; a sum so far, times the variable, is added or subtracted. */
export function term(coefficientHigh: u64, coefficientLow: u64): void {
  multiply(variableHigh, variableLow);
  if (isAlternating) subtractFrom(coefficientHigh, coefficientLow);
  else add(coefficientHigh, coefficientLow);
}

/** Divides the accumulator by a number; both have their top bits set. Returns the power of two, 0 or 1. */
export function divide(byHigh: u64, byLow: u64): i32 {
  const isLess = high < byHigh || (high === byHigh && low < byLow);
  if (!isLess) shiftDown(1);
  const upper = quotientWord(byHigh, byLow);
  const lower = quotientWord(byHigh, byLow);
  set(upper, lower);
  return isLess ? 0 : 1;
}

/** One digit to the base 2^64 of accumulator / divisor. Leaves the remainder, times 2^64, in the accumulator. */
function quotientWord(byHigh: u64, byLow: u64): u64 {
  let digit = high >= byHigh ? u64.MAX_VALUE : divideWide(high, low, byHigh);
  // Three words less digit · divisor; the digit is at most two too large.
  const lowest = multiplyWide(digit, byLow);
  const across = wideHigh;
  const product = multiplyWide(digit, byHigh);
  const middle = product + across;
  let top = high - wideHigh - u64(middle < across);
  let restLow: u64 = 0 - lowest;
  const borrow = u64(lowest !== 0);
  top -= u64(low < middle) | u64(low - middle < borrow);
  let restHigh = low - middle - borrow;
  while (top !== 0) {
    digit--;
    restLow += byLow;
    const carry = u64(restLow < byLow);
    const sum = restHigh + byHigh;
    restHigh = sum + carry;
    top += u64(sum < byHigh) | u64(restHigh < carry);
  }
  set(restHigh, restLow);
  return digit;
}
