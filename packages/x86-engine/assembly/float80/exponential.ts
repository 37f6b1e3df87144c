// biome-ignore-all lint/correctness/noPrecisionLoss: AssemblyScript's integers have 64 bits.
/**
 * Intel SDM Vol. 2A "F2XM1—Compute 2^x–1". As accurate as trigonometry.ts says, and with the same caveat.
 *
 * An argument beyond ±1 is left undefined; the processors looked at return it as it is.
 */
import {
  BIAS,
  EXPONENT_MASK,
  exponentOf,
  INTEGER_BIT,
  normalExponent,
  normalSignificand,
  put,
  SIGN_BIT,
  signExponentAt,
  significandAt,
  signOf,
} from './format';
import {
  add,
  beginSeries,
  complement,
  high,
  low,
  multiply,
  normalize,
  set,
  shiftDown,
  term,
} from './fraction';
import { denormalOne, settleOne, UNSETTLED } from './operands';
import { roundAndPut } from './round';
import { atFullPrecision, isUnmasked, PRECISION, WITHHELD } from './status';

const LN2_HIGH: u64 = 0xb17217f7d1cf79ab;
const LN2_LOW: u64 = 0xc9e3b39803f2f6af;

export function f2xm1(dst: usize, a: usize, control: u32): u32 {
  const top = signExponentAt(a);
  const significand = significandAt(a);
  const settled = settleOne(dst, top, significand, control);
  if (settled !== UNSETTLED) return settled;
  const flags = denormalOne(top, significand);
  if (isUnmasked(flags, control)) return flags | WITHHELD;
  const sign = signOf(top);
  if (exponentOf(top) >= BIAS) return putBeyond(dst, sign, top, significand, control);
  if (significand === 0) {
    put(dst, top, 0);
    return flags;
  }
  const power = powerLessOne(sign !== 0, normalExponent(top, significand), normalSignificand(significand));
  return flags | roundAndPut(dst, sign, power + BIAS - 1, high, low | 1, atFullPrecision(control));
}

/** ±1 and what lies beyond. The processors looked at see 1 as a little less. */
function putBeyond(dst: usize, sign: u32, top: u32, significand: u64, control: u32): u32 {
  if (exponentOf(top) === EXPONENT_MASK) {
    put(dst, sign !== 0 ? SIGN_BIT | (BIAS as u32) : top, INTEGER_BIT);
    return 0;
  }
  const isOne = exponentOf(top) === BIAS && significand === INTEGER_BIT;
  if (isOne && sign === 0)
    return roundAndPut(dst, 0, BIAS - 1, u64.MAX_VALUE, u64.MAX_VALUE, atFullPrecision(control));
  put(dst, isOne ? top - 1 : top, significand);
  return PRECISION;
}

/** z·(1 ± z·(1/2! ± z/3! + …)) with z = |x|·ln 2. Returns the power of two. */
function powerLessOne(isNegative: bool, exponent: i32, significand: u64): i32 {
  set(significand, 0);
  multiply(LN2_HIGH, LN2_LOW);
  let power = exponent - (BIAS - 1) - normalize();
  const numberHigh = high;
  const numberLow = low;
  shiftDown(-power);
  const fractionHigh = high;
  const fractionLow = low;
  sumFactorials(fractionHigh, fractionLow, isNegative);
  multiply(fractionHigh, fractionLow);
  if (isNegative) {
    complement();
    multiply(numberHigh, numberLow);
    return power - normalize();
  }
  multiply(numberHigh, numberLow);
  const carry = add(numberHigh, numberLow);
  if (carry === 0) return power;
  shiftDown(1);
  set(high | INTEGER_BIT, low);
  power++;
  return power;
}

function sumFactorials(ofHigh: u64, ofLow: u64, alternating: bool): void {
  beginSeries(ofHigh, ofLow, alternating);
  term(0x0000000000000000, 0x000000c4742fe352); // 1/26!
  term(0x0000000000000000, 0x000013f3ccdd1660); // 1/25!
  term(0x0000000000000000, 0x0001f2cf01972f57); // 1/24!
  term(0x0000000000000000, 0x002ec368262c7034); // 1/23!
  term(0x0000000000000000, 0x04338e5b6dfe14a5); // 1/22!
  term(0x0000000000000000, 0x5c6e3bdb73d5c630); // 1/21!
  term(0x0000000000000007, 0x950ae900808941ea); // 1/20!
  term(0x0000000000000097, 0xa4da340a0ab92651); // 1/19!
  term(0x0000000000000b41, 0x3c31dcbecbbdd802); // 1/18!
  term(0x000000000000ca96, 0x3b81856a53593029); // 1/17!
  term(0x00000000000d73f9, 0xf399dc0f88ec32b6); // 1/16!
  term(0x0000000000d73f9f, 0x399dc0f88ec32b58); // 1/15!
  term(0x000000000c9cba54, 0x603e4e905d6f8a2f); // 1/14!
  term(0x00000000b092309d, 0x43684be51c198e92); // 1/13!
  term(0x00000008f76c77fc, 0x6c4bdaa26d4c3d68); // 1/12!
  term(0x0000006b99159fd5, 0x138e3f9d1f92e0df); // 1/11!
  term(0x0000049f93edde27, 0xd71cbbc05b4fa99a); // 1/10!
  term(0x00002e3bc74aad8e, 0x671f5583911ca003); // 1/9!
  term(0x0001a01a01a01a01, 0xa01a01a01a01a01a); // 1/8!
  term(0x000d00d00d00d00d, 0x00d00d00d00d00d0); // 1/7!
  term(0x005b05b05b05b05b, 0x05b05b05b05b05b0); // 1/6!
  term(0x0222222222222222, 0x2222222222222222); // 1/5!
  term(0x0aaaaaaaaaaaaaaa, 0xaaaaaaaaaaaaaaab); // 1/4!
  term(0x2aaaaaaaaaaaaaaa, 0xaaaaaaaaaaaaaaab); // 1/3!
  term(0x8000000000000000, 0x0000000000000000); // 1/2!
}
