/**
 * What happens before an operation computes: operands that no operation accepts, NaNs, denormals. Intel SDM Vol. 1
 * §4.8.3.5 "Operating on SNaNs and QNaNs", §4.9.2 "Floating-Point Exception Priority", §8.5.1.2 "Invalid Arithmetic
 * Operand Exception (#IA)", §8.5.2 "Denormal Operand Exception (#D)".
 */
import {
  isDenormal,
  isNotNumber,
  isSignaling,
  isUnsupported,
  put,
  putIndefinite,
  quieted,
  signOf,
} from './format';
import { DENORMAL, DENORMAL_OPERAND, INVALID, isUnmasked, WITHHELD } from './status';

/** The operands were ordinary: nothing is written yet. */
export const UNSETTLED: u32 = 0x80000000;

/** Raises #IA, whose masked response is the indefinite QNaN. */
export function invalid(dst: usize, control: u32): u32 {
  if (isUnmasked(INVALID, control)) return INVALID | WITHHELD;
  putIndefinite(dst);
  return INVALID;
}

/** Settles an operation on an unsupported encoding or a NaN. */
export function settleOne(dst: usize, signExponent: u32, significand: u64, control: u32): u32 {
  if (isUnsupported(signExponent, significand)) return invalid(dst, control);
  if (!isNotNumber(signExponent, significand)) return UNSETTLED;
  const raised = isSignaling(signExponent, significand) ? INVALID : 0;
  if (isUnmasked(raised, control)) return raised | WITHHELD;
  put(dst, signExponent, quieted(significand));
  return raised;
}

/** Settles an operation with an unsupported encoding or a NaN among its two operands. */
export function settleTwo(dst: usize, aTop: u32, a: u64, bTop: u32, b: u64, control: u32): u32 {
  if (isUnsupported(aTop, a) || isUnsupported(bTop, b)) return invalid(dst, control);
  const aIsNaN = isNotNumber(aTop, a);
  const bIsNaN = isNotNumber(bTop, b);
  if (!aIsNaN && !bIsNaN) return UNSETTLED;
  const aSignals = isSignaling(aTop, a);
  const bSignals = isSignaling(bTop, b);
  const raised = aSignals || bSignals ? INVALID : 0;
  if (isUnmasked(raised, control)) return raised | WITHHELD;
  let takeA = aIsNaN;
  if (aIsNaN && bIsNaN) takeA = aSignals !== bSignals ? bSignals : isLarger(aTop, a, bTop, b);
  if (takeA) put(dst, aTop, quieted(a));
  else put(dst, bTop, quieted(b));
  return raised;
}

/** Of two NaNs alike the larger significand wins; of equal ones, on the processors looked at, the positive. */
function isLarger(aTop: u32, a: u64, bTop: u32, b: u64): bool {
  return a !== b ? a > b : signOf(aTop) < signOf(bTop);
}

/** #D of one operand, to be raised when it is neither zero nor settled. */
export function denormalOne(signExponent: u32, significand: u64): u32 {
  return isDenormal(signExponent, significand) ? DENORMAL : 0;
}

/** #D of two operands, or of what the second one was in memory. */
export function denormalTwo(aTop: u32, a: u64, bTop: u32, b: u64, control: u32): u32 {
  const any = isDenormal(aTop, a) || isDenormal(bTop, b) || (control & DENORMAL_OPERAND) !== 0;
  return any ? DENORMAL : 0;
}
