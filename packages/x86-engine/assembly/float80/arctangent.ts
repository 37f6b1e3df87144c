// biome-ignore-all lint/correctness/noPrecisionLoss: AssemblyScript's integers have 64 bits.
/**
 * Intel SDM Vol. 2A "FPATAN—Partial Arctangent". As accurate as trigonometry.ts says, and with the same caveat.
 */
import {
  BIAS,
  EXPONENT_MASK,
  exponentOf,
  normalExponent,
  normalSignificand,
  putZero,
  signExponentAt,
  significandAt,
  signOf,
} from './format';
import {
  add,
  beginSeries,
  complement,
  divide,
  high,
  low,
  multiply,
  normalize,
  set,
  shiftDown,
  subtractFrom,
  term,
} from './fraction';
import { denormalTwo, settleTwo, UNSETTLED } from './operands';
import { roundAndPut } from './round';
import { atFullPrecision, isUnmasked, WITHHELD } from './status';
import { multiplyWide, shiftLeft, wideHigh } from './wide';

/** Pi, and three quarters of it, divided by four. */
const PI_HIGH: u64 = 0xc90fdaa22168c234;
const PI_LOW: u64 = 0xc4c6628b80dc1cd1;
const THREE_HIGH: u64 = 0x96cbe3f9990e91a7;
const THREE_LOW: u64 = 0x9394c9e8a0a5159d;

/** The accumulator's power of two. */
let power: i32 = 0;

/** The angle of the point (x, y), y being ST(1) and x ST(0). */
export function fpatan(dst: usize, y: usize, x: usize, control: u32): u32 {
  const yTop = signExponentAt(y);
  const xTop = signExponentAt(x);
  const yBits = significandAt(y);
  const xBits = significandAt(x);
  const settled = settleTwo(dst, xTop, xBits, yTop, yBits, control);
  if (settled !== UNSETTLED) return settled;
  const flags = denormalTwo(yTop, yBits, xTop, xBits, control);
  if (isUnmasked(flags, control)) return flags | WITHHELD;
  const yIsInfinite = exponentOf(yTop) === EXPONENT_MASK;
  const xIsInfinite = exponentOf(xTop) === EXPONENT_MASK;
  const isLeft = signOf(xTop) !== 0;
  if (yIsInfinite && xIsInfinite) diagonal(isLeft);
  else if (yBits === 0 || xIsInfinite) {
    if (!isLeft) {
      putZero(dst, signOf(yTop));
      return flags;
    }
    halfTurns(2);
  } else if (xBits === 0 || yIsInfinite) halfTurns(1);
  else {
    angleOf(
      normalExponent(yTop, yBits),
      normalSignificand(yBits),
      normalExponent(xTop, xBits),
      normalSignificand(xBits),
    );
    if (isLeft) subtractFromQuarters(2);
  }
  return flags | roundAndPut(dst, signOf(yTop), power + BIAS - 1, high, low | 1, atFullPrecision(control));
}

/** Pi/4 or 3·Pi/4. */
function diagonal(isLeft: bool): void {
  if (isLeft) set(THREE_HIGH, THREE_LOW);
  else set(PI_HIGH, PI_LOW);
  power = isLeft ? 2 : 0;
}

/** So many times Pi/2, one or two. */
function halfTurns(count: i32): void {
  set(PI_HIGH, PI_LOW);
  power = count;
}

/** So many times Pi/2 less the angle so far; at least Pi/4 is left. */
function subtractFromQuarters(count: i32): void {
  shiftDown(2 - power);
  if (count === 2) subtractFrom(PI_HIGH, PI_LOW);
  else subtractFrom(PI_HIGH >> 1, (PI_HIGH << 63) | (PI_LOW >> 1));
  power = 2 - normalize();
}

/** The angle of a point in the first quadrant. */
function angleOf(yExponent: i32, y: u64, xExponent: i32, x: u64): void {
  const isSteep = yExponent > xExponent || (yExponent === xExponent && y > x);
  if (isSteep) {
    arctangent(x, y, yExponent - xExponent);
    subtractFromQuarters(1);
  } else arctangent(y, x, xExponent - yExponent);
}

/** arctan of t = a/b · 2^-apart, at most one: from the nearest eighth c, arctan c + arctan((t - c) / (1 + t·c)). */
function arctangent(a: u64, b: u64, apart: i32): void {
  const eighths =
    apart < 5 ? ((((a as f64) / (b as f64)) * ((128 >> apart) as f64) * 0.0625 + 0.5) as u32) : 0;
  if (eighths === 0) {
    set(a, 0);
    power = divide(b, 0) - apart;
    arctangentSeries();
    return;
  }
  const isAbove = divideDifference(a, b, apart, eighths);
  if ((high | low) !== 0) {
    arctangentSeries();
    shiftDown(-power);
  }
  addArctangent(eighths, isAbove);
  power = -normalize();
}

/** (8t - k) / (8 + k·t) for k eighths, its sign aside: whether it is positive. */
function divideDifference(a: u64, b: u64, apart: i32, eighths: u32): bool {
  // With b at 2^62 all of this is exact.
  const scaledLow = shiftLeft(0, a, 62 - apart);
  const scaledHigh = wideHigh;
  const nearLow = shifted(multiplyWide(b, eighths), 59);
  set(wideHigh, nearLow);
  const isAbove = scaledHigh > high || (scaledHigh === high && scaledLow >= low);
  subtractFrom(scaledHigh, scaledLow);
  if (!isAbove) subtractFrom(0, 0);
  if ((high | low) === 0) return true;
  const differenceShift = normalize();
  const differenceHigh = high;
  const differenceLow = low;
  const crossLow = shifted(multiplyWide(a, eighths), 59 - apart);
  set(wideHigh, crossLow);
  add(b >> 2, b << 62);
  const sumShift = normalize();
  const sumHigh = high;
  const sumLow = low;
  set(differenceHigh, differenceLow);
  power = divide(sumHigh, sumLow) + sumShift - differenceShift;
  return isAbove;
}

/** The wide product just made, shifted up. */
function shifted(productLow: u64, count: i32): u64 {
  return shiftLeft(wideHigh, productLow, count);
}

/** u·(1 - u²·(1/3 - u²/5 + …)) of the number u in the accumulator, at most 1/16. */
function arctangentSeries(): void {
  const numberHigh = high;
  const numberLow = low;
  multiply(numberHigh, numberLow);
  shiftDown(-2 * power);
  const squareHigh = high;
  const squareLow = low;
  beginSeries(squareHigh, squareLow, true);
  term(0x097b425ed097b425, 0xed097b425ed097b4); // 1/27
  term(0x0a3d70a3d70a3d70, 0xa3d70a3d70a3d70a); // 1/25
  term(0x0b21642c8590b216, 0x42c8590b21642c86); // 1/23
  term(0x0c30c30c30c30c30, 0xc30c30c30c30c30c); // 1/21
  term(0x0d79435e50d79435, 0xe50d79435e50d794); // 1/19
  term(0x0f0f0f0f0f0f0f0f, 0x0f0f0f0f0f0f0f0f); // 1/17
  term(0x1111111111111111, 0x1111111111111111); // 1/15
  term(0x13b13b13b13b13b1, 0x3b13b13b13b13b14); // 1/13
  term(0x1745d1745d1745d1, 0x745d1745d1745d17); // 1/11
  term(0x1c71c71c71c71c71, 0xc71c71c71c71c71c); // 1/9
  term(0x2492492492492492, 0x4924924924924925); // 1/7
  term(0x3333333333333333, 0x3333333333333333); // 1/5
  term(0x5555555555555555, 0x5555555555555555); // 1/3
  multiply(squareHigh, squareLow);
  complement();
  multiply(numberHigh, numberLow);
  power -= normalize();
}

/** The arctangent of so many eighths, plus or minus the accumulator. */
function addArctangent(eighths: u32, plus: bool): void {
  if (eighths === 1) addOrSubtract(0x1fd5ba9aac2f6dc6, 0x5912f313e7d111df, plus);
  else if (eighths === 2) addOrSubtract(0x3eb6ebf25901bac5, 0x5b71e7bd7de885f9, plus);
  else if (eighths === 3) addOrSubtract(0x5bd86507937bc239, 0xc55190916e7f2242, plus);
  else if (eighths === 4) addOrSubtract(0x76b19c1586ed3da2, 0xb7f222f65e1d4682, plus);
  else if (eighths === 5) addOrSubtract(0x8f005d5ef7f59f9b, 0x5c835e1665c43748, plus);
  else if (eighths === 6) addOrSubtract(0xa4bc7d1934f70924, 0x19a87f2a457dac9f, plus);
  else if (eighths === 7) addOrSubtract(0xb8053e2bc2319e73, 0xcb2da55210a4443d, plus);
  else addOrSubtract(0xc90fdaa22168c234, 0xc4c6628b80dc1cd1, plus);
}

function addOrSubtract(toHigh: u64, toLow: u64, plus: bool): void {
  if (plus) add(toHigh, toLow);
  else subtractFrom(toHigh, toLow);
}
