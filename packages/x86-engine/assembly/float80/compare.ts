/**
 * Intel SDM Vol. 2A "FCOM/FCOMP/FCOMPP—Compare Floating-Point Values", "FUCOM/FUCOMP/FUCOMPP—Unordered Compare
 * Floating-Point Values", "FCOMI/FCOMIP/FUCOMI/FUCOMIP—Compare Floating-Point Values and Set EFLAGS", "FXAM—Examine
 * Floating-Point".
 *
 * The result is in the condition codes, also when an exception is unmasked: WITHHELD then says not to pop. FCOMI and
 * FUCOMI put C3, C2 and C0 into ZF, PF and CF. FTST compares with a zero.
 */
import {
  EXPONENT_MASK,
  exponentOf,
  INTEGER_BIT,
  isNotNumber,
  isSignaling,
  isUnsupported,
  normalExponent,
  normalSignificand,
  signExponentAt,
  significandAt,
  signOf,
} from './format';
import { denormalTwo } from './operands';
import { C0, C1, C2, C3, INVALID, isUnmasked, WITHHELD } from './status';

export function fcom(a: usize, b: usize, control: u32): u32 {
  return compare(signExponentAt(a), significandAt(a), signExponentAt(b), significandAt(b), true, control);
}

/** Quiet NaNs do not raise #IA. */
export function fucom(a: usize, b: usize, control: u32): u32 {
  return compare(signExponentAt(a), significandAt(a), signExponentAt(b), significandAt(b), false, control);
}

function compare(aTop: u32, a: u64, bTop: u32, b: u64, quietRaises: bool, control: u32): u32 {
  let codes = C0 | C2 | C3;
  let raised: u32 = 0;
  if (isUnsupported(aTop, a) || isUnsupported(bTop, b)) raised = INVALID;
  else if (isNotNumber(aTop, a) || isNotNumber(bTop, b))
    raised = quietRaises || isSignaling(aTop, a) || isSignaling(bTop, b) ? INVALID : 0;
  else {
    raised = denormalTwo(aTop, a, bTop, b, control);
    codes = order(aTop, a, bTop, b);
  }
  return codes | raised | (isUnmasked(raised, control) ? WITHHELD : 0);
}

/** C3 for equal, C0 for less. */
function order(aTop: u32, a: u64, bTop: u32, b: u64): u32 {
  if ((a | b) === 0) return C3; // zeros of any sign
  const aSign = signOf(aTop);
  if (a === 0) return signOf(bTop) !== 0 ? 0 : C0;
  if (b === 0) return aSign !== 0 ? C0 : 0;
  if (aSign !== signOf(bTop)) return aSign !== 0 ? C0 : 0;
  const aExponent = normalExponent(aTop, a);
  const bExponent = normalExponent(bTop, b);
  const aBits = normalSignificand(a);
  const bBits = normalSignificand(b);
  if (aExponent === bExponent && aBits === bBits) return C3;
  const isSmaller = aExponent < bExponent || (aExponent === bExponent && aBits < bBits);
  return isSmaller !== (aSign !== 0) ? C0 : 0;
}

/** The class of what a register holds, in C3, C2 and C0, and its sign in C1. C3 and C0, empty, is the engine's to say. */
export function fxam(a: usize): u32 {
  const top = signExponentAt(a);
  const significand = significandAt(a);
  return classOf(top, significand) | (signOf(top) !== 0 ? C1 : 0);
}

function classOf(top: u32, significand: u64): u32 {
  if (isUnsupported(top, significand)) return 0;
  if (exponentOf(top) === 0) return significand === 0 ? C3 : C3 | C2;
  if (exponentOf(top) !== EXPONENT_MASK) return C2;
  return significand === INTEGER_BIT ? C2 | C0 : C0;
}
