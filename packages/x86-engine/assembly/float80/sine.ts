// biome-ignore-all lint/correctness/noPrecisionLoss: AssemblyScript's integers have 64 bits.
/**
 * Sine and cosine of any argument below 2^63, to 120 bits. The argument is reduced by Pi, the 66-bit value that Intel
 * SDM Vol. 1 §8.3.8 "Approximation of Pi" gives, and exactly: the reduced argument has no error at all.
 */
import { BIAS, normalExponent, normalSignificand } from './format';
import { beginSeries, complement, high, low, multiply, normalize, set, shiftDown, term } from './fraction';
import { divideWide, multiplyWide, shiftLeft, wideHigh } from './wide';

/** From this exponent on an argument is out of range. */
export const RANGE_EXPONENT: i32 = BIAS + 63;

/** Pi/4 is a little less than Pi's upper 64 bits, with this exponent. */
const QUARTER_EXPONENT: i32 = BIAS - 1;
const PI_UPPER: u64 = 0xc90fdaa22168c234;

/** Pi/2 as 66 bits, in units of 2^-65. */
const HALF_PI_HIGH: u64 = 3;
const HALF_PI_LOW: u64 = 0x243f6a8885a308d3;

/** The reduced argument, in [-Pi/4, Pi/4]: a number, its power of two and its sign. */
let argumentHigh: u64 = 0;
let argumentLow: u64 = 0;
let argumentPower: i32 = 0;
let argumentSign: u32 = 0;

/** How many times Pi/2 was taken away, modulo 2^64. */
export let quadrant: u64 = 0;

/** Power of two and sign of the last result; the number is the accumulator. */
export let resultPower: i32 = 0;
export let resultSign: u32 = 0;

/** Reduces the magnitude of a finite number other than zero, below the range's end. */
export function reduceArgument(top: u32, significand: u64): void {
  const exponent = normalExponent(top, significand);
  const normal = normalSignificand(significand);
  argumentSign = 0;
  quadrant = 0;
  argumentHigh = normal;
  argumentLow = 0;
  argumentPower = exponent - (BIAS - 1);
  if (exponent > QUARTER_EXPONENT || (exponent === QUARTER_EXPONENT && normal > PI_UPPER))
    subtractQuadrants(normal, exponent - BIAS + 2);
}

/** Takes the nearest multiple of Pi/2 from significand · 2^shift, in units of 2^-65. */
function subtractQuadrants(significand: u64, shift: i32): void {
  const numberLow = shiftLeft(0, significand, shift);
  const numberHigh = wideHigh;
  // By the upper 64 bits of Pi/2 alone the quotient is at most two too large.
  quadrant = divideWide(numberHigh >> 2, (numberHigh << 62) | (numberLow >> 2), PI_UPPER);
  const product = multiplyWide(quadrant, HALF_PI_LOW);
  const productHigh = wideHigh + quadrant * HALF_PI_HIGH;
  let restLow = numberLow - product;
  let restHigh = numberHigh - productHigh - u64(numberLow < product);
  while ((restHigh as i64) < 0) {
    quadrant--;
    restLow += HALF_PI_LOW;
    restHigh += HALF_PI_HIGH + u64(restLow < HALF_PI_LOW);
  }
  const otherLow = HALF_PI_LOW - restLow;
  const otherHigh = HALF_PI_HIGH - restHigh - u64(HALF_PI_LOW < restLow);
  if (otherHigh < restHigh || (otherHigh === restHigh && otherLow < restLow)) {
    quadrant++;
    argumentSign = 1;
    set(otherHigh, otherLow);
  } else set(restHigh, restLow);
  // Never zero: Pi/2 is an odd 66-bit integer, of which no 64-bit significand is a multiple.
  argumentPower = 63 - normalize();
  argumentHigh = high;
  argumentLow = low;
}

/** The sine of the argument given, whose sign is `sign`. */
export function computeSine(sign: u32): void {
  if ((quadrant & 1) === 0) sineOfReduced();
  else cosineOfReduced();
  resultSign ^= sign ^ (((quadrant >> 1) & 1) as u32);
}

export function computeCosine(): void {
  if ((quadrant & 1) === 0) cosineOfReduced();
  else sineOfReduced();
  resultSign ^= (((quadrant + 1) >> 1) & 1) as u32;
}

/** Whether the tangent is the argument and less than a 2^120th of it: too little for a quotient of series to show. */
export function isTangentTrivial(): bool {
  return (quadrant & 1) === 0 && argumentPower < -60;
}

/** The tangent, where it is trivial: the argument and a trace. */
export function computeTrivialTangent(sign: u32): void {
  set(argumentHigh, argumentLow | 1);
  resultPower = argumentPower;
  resultSign = argumentSign ^ sign;
}

/** The square of the reduced argument, in the accumulator. */
function squareArgument(): void {
  set(argumentHigh, argumentLow);
  multiply(argumentHigh, argumentLow);
  shiftDown(-2 * argumentPower);
}

/** r · (1 - r²·(1/3! - r²/5! + …)) */
function sineOfReduced(): void {
  squareArgument();
  const squareHigh = high;
  const squareLow = low;
  beginSeries(squareHigh, squareLow, true);
  term(0x0000000000000000, 0x0000000746ac70b7); // 1/27!
  term(0x0000000000000000, 0x000013f3ccdd1660); // 1/25!
  term(0x0000000000000000, 0x002ec368262c7034); // 1/23!
  term(0x0000000000000000, 0x5c6e3bdb73d5c630); // 1/21!
  term(0x0000000000000097, 0xa4da340a0ab92651); // 1/19!
  term(0x000000000000ca96, 0x3b81856a53593029); // 1/17!
  term(0x0000000000d73f9f, 0x399dc0f88ec32b58); // 1/15!
  term(0x00000000b092309d, 0x43684be51c198e92); // 1/13!
  term(0x0000006b99159fd5, 0x138e3f9d1f92e0df); // 1/11!
  term(0x00002e3bc74aad8e, 0x671f5583911ca003); // 1/9!
  term(0x000d00d00d00d00d, 0x00d00d00d00d00d0); // 1/7!
  term(0x0222222222222222, 0x2222222222222222); // 1/5!
  term(0x2aaaaaaaaaaaaaaa, 0xaaaaaaaaaaaaaaab); // 1/3!
  multiply(squareHigh, squareLow);
  complement();
  multiply(argumentHigh, argumentLow);
  resultPower = argumentPower - normalize();
  resultSign = argumentSign;
}

/** 1 - r²·(1/2! - r²/4! + …), at least 0.7. */
function cosineOfReduced(): void {
  squareArgument();
  const squareHigh = high;
  const squareLow = low;
  beginSeries(squareHigh, squareLow, true);
  term(0x0000000000000000, 0x000000c4742fe352); // 1/26!
  term(0x0000000000000000, 0x0001f2cf01972f57); // 1/24!
  term(0x0000000000000000, 0x04338e5b6dfe14a5); // 1/22!
  term(0x0000000000000007, 0x950ae900808941ea); // 1/20!
  term(0x0000000000000b41, 0x3c31dcbecbbdd802); // 1/18!
  term(0x00000000000d73f9, 0xf399dc0f88ec32b6); // 1/16!
  term(0x000000000c9cba54, 0x603e4e905d6f8a2f); // 1/14!
  term(0x00000008f76c77fc, 0x6c4bdaa26d4c3d68); // 1/12!
  term(0x0000049f93edde27, 0xd71cbbc05b4fa99a); // 1/10!
  term(0x0001a01a01a01a01, 0xa01a01a01a01a01a); // 1/8!
  term(0x005b05b05b05b05b, 0x05b05b05b05b05b0); // 1/6!
  term(0x0aaaaaaaaaaaaaaa, 0xaaaaaaaaaaaaaaab); // 1/4!
  term(0x8000000000000000, 0x0000000000000000); // 1/2!
  multiply(squareHigh, squareLow);
  complement();
  resultPower = 0;
  resultSign = 0;
}
