// biome-ignore-all lint/correctness/noPrecisionLoss: AssemblyScript's integers have 64 bits.
/** The binary logarithm of 128-bit numbers, for FYL2X and FYL2XP1: log2 m = 2/ln 2 · artanh((m - 1) / (m + 1)). */
import { INTEGER_BIT } from './format';
import {
  add,
  beginSeries,
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

/** The root of one half, rounded down: mantissas are taken from there to the root of two. */
const ROOT_OF_HALF: u64 = 0xb504f333f9de6484;

/** 1 less the root of one half, and the root of two less 1, in units of one half. */
const NEAR_BELOW: u64 = 0x95f619980c4336f7;
const NEAR_ABOVE: u64 = 0xd413cccfe7799211;

/** log2(e) / 2 */
const LOG2_E_HIGH: u64 = 0xb8aa3b295c17f0bb;
const LOG2_E_LOW: u64 = 0xbe87fed0691d3e89;

/** The last logarithm's power of two and sign; the number is the accumulator. */
export let logarithmPower: i32 = 0;
export let logarithmSign: u32 = 0;
/** It is an integer. */
export let isPowerOfTwo: bool = false;

/** log2 of a number · 2^power other than one. */
export function computeLogarithm(numberHigh: u64, numberLow: u64, power: i32): void {
  const isBelow = numberHigh > ROOT_OF_HALF;
  const whole = isBelow ? power : power - 1;
  set(numberHigh, numberLow);
  if (isBelow) subtractFrom(0, 0);
  else set(numberHigh - INTEGER_BIT, numberLow);
  isPowerOfTwo = (high | low) === 0;
  if (isPowerOfTwo) {
    setInteger(whole);
    return;
  }
  logarithmPower = -normalize() - 1;
  logarithmSign = isBelow ? 1 : 0;
  const sumHigh = (numberHigh >> 1) + (isBelow ? INTEGER_BIT : INTEGER_BIT >> 1);
  logarithmPower += divide(sumHigh, (numberHigh << 63) | (numberLow >> 1));
  artanhSeries();
  if (whole !== 0) addInteger(whole);
}

function setInteger(whole: i32): void {
  set(abs(whole) as u64, 0);
  logarithmPower = 64 - normalize();
  logarithmSign = whole < 0 ? 1 : 0;
}

/** The accumulator is below one half, so the integer, not being zero, gives the sum its sign. */
function addInteger(whole: i32): void {
  shiftDown(16 - logarithmPower);
  const sign: u32 = whole < 0 ? 1 : 0;
  const integer = (abs(whole) as u64) << 48;
  if (sign === logarithmSign) add(integer, 0);
  else subtractFrom(integer, 0);
  logarithmSign = sign;
  logarithmPower = 16 - normalize();
}

/** 2/ln 2 · u·(1 + u²·(1/3 + u²/5 + …)) of the number u in the accumulator, at most 0.1716. */
function artanhSeries(): void {
  const numberHigh = high;
  const numberLow = low;
  multiply(numberHigh, numberLow);
  shiftDown(-2 * logarithmPower);
  const squareHigh = high;
  const squareLow = low;
  sumOddParts(squareHigh, squareLow);
  multiply(squareHigh, squareLow);
  multiply(numberHigh, numberLow);
  if (add(numberHigh, numberLow) !== 0) {
    shiftDown(1);
    set(high | INTEGER_BIT, low);
    logarithmPower++;
  }
  multiply(LOG2_E_HIGH, LOG2_E_LOW);
  logarithmPower += 2 - normalize();
}

function sumOddParts(squareHigh: u64, squareLow: u64): void {
  beginSeries(squareHigh, squareLow, false);
  term(0x063e7063e7063e70, 0x63e7063e7063e706); // 1/41
  term(0x0690690690690690, 0x6906906906906907); // 1/39
  term(0x06eb3e45306eb3e4, 0x5306eb3e45306eb4); // 1/37
  term(0x0750750750750750, 0x7507507507507507); // 1/35
  term(0x07c1f07c1f07c1f0, 0x7c1f07c1f07c1f08); // 1/33
  term(0x0842108421084210, 0x8421084210842108); // 1/31
  term(0x08d3dcb08d3dcb08, 0xd3dcb08d3dcb08d4); // 1/29
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
}

/** log2(1 ± number · 2^power), the number having 64 bits. The sum is to be above zero. */
export function computeLogarithmOfSum(sign: u32, number: u64, power: i32): void {
  if (power < -1 || (power === -1 && number <= (sign !== 0 ? NEAR_BELOW : NEAR_ABOVE))) {
    computeNear(sign, number, power);
    return;
  }
  set(number, 0);
  if (sign !== 0) {
    shiftDown(-power);
    subtractFrom(0, 0);
    const count = normalize();
    computeLogarithm(high, low, -count);
    return;
  }
  if (power <= 0) {
    shiftDown(1 - power);
    add(INTEGER_BIT, 0);
    computeLogarithm(high, low, 1);
    return;
  }
  // One, in units of the number's 2^power.
  const carry =
    power <= 64 ? add((1 as u64) << (64 - power), 0) : add(0, power <= 128 ? (1 as u64) << (128 - power) : 0);
  if (carry !== 0) {
    shiftDown(1);
    set(high | INTEGER_BIT, low);
  }
  computeLogarithm(high, low, power + (carry as i32));
}

/** With the sum between the roots of one half and two, x / (2 + x) keeps the accuracy of a small x. */
function computeNear(sign: u32, number: u64, power: i32): void {
  set(number, 0);
  shiftDown(2 - power);
  if (sign !== 0) subtractFrom(INTEGER_BIT, 0);
  else add(INTEGER_BIT, 0);
  const count = normalize();
  const sumHigh = high;
  const sumLow = low;
  set(number, 0);
  logarithmPower = power - 2 + count + divide(sumHigh, sumLow);
  logarithmSign = sign;
  isPowerOfTwo = false;
  artanhSeries();
}
