/** Functions for what computes with numbers on the stack: float80's, among the stack's rules. */
import type { X87Binary, X87Comparison, X87Split, X87Unary } from '@vireo/x86-isa';
import type { Expression, FunctionCode, Variable } from '../float/function-code.ts';
import { type Callee, define } from '../float/soft-function.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import type { Float80Functions } from './float80-imports.ts';
import { settled } from './settle.ts';
import {
  callOf,
  i32,
  i64,
  isFilled,
  OPERAND_PLACE,
  operandSlot,
  putIndefinite,
  putNumber,
  registerOf,
  setFilled,
  setTop,
  signExponentAt,
  significandAt,
  slotOf,
  stackFault,
} from './stack.ts';
import { ALL_CODES, STATUS, WITHHELD } from './status-word.ts';

const SIGN = 0x8000;
const EXPONENT = 0x7fff;
const ONE = { signExponent: 0x3fff, significand: 1n << 63n } as const;
/** FXAM's class of what is not there. */
const EMPTY = STATUS.C3 | STATUS.C0;
const UNORDERED = STATUS.C3 | STATUS.C2 | STATUS.C0;

const hasResult = (flags: Expression): Expression => flags.and(WITHHELD).isZero();

/** The slot of a place, or of the number from memory. */
const slotAt = (f: FunctionCode, place: Expression): Expression =>
  operandSlot(f).orElse(place.eq(OPERAND_PLACE), slotOf(f, registerOf(f, place)));

const isFilledAt = (f: FunctionCode, place: Expression): Expression =>
  i32(1).orElse(place.eq(OPERAND_PLACE), isFilled(f, registerOf(f, place)));

/** (state, destination, a, b, more bits for the control word) → whether there is a result. */
export function addBinary(
  module: ModuleBuilder,
  settle: Callee,
  float80: Float80Functions,
  operation: X87Binary,
): Callee {
  return define(module, ['i32', 'i32', 'i32', 'i32'], 'i32', (f, destination, a, b, more) => {
    const register = f.let(registerOf(f, destination!));
    const slot = f.let(slotOf(f, register));
    const control = f.field('x87Control').or(more!);
    const flags = f.let(i32(0));
    f.when(
      isFilledAt(f, a!).and(isFilledAt(f, b!)),
      () => flags.set(callOf(float80[operation], slot, slotAt(f, a!), slotAt(f, b!), control)),
      () => underflow(f, flags, register, slot),
    );
    f.result(
      settled(f, settle, flags, operation.startsWith('fprem') ? remainderCodes(flags, slot) : STATUS.C1),
    );
  });
}

/** The masked response is the indefinite. */
function underflow(f: FunctionCode, flags: Variable, register: Expression, slot: Expression): void {
  flags.set(stackFault(f, 'underflow'));
  f.when(hasResult(flags), () => {
    putIndefinite(f, slot);
    setFilled(f, register);
  });
}

/** C0 and C3 are of the quotient, if there is one: there is none with a NaN. */
function remainderCodes(flags: Expression, slot: Expression): Expression {
  const hasNone = signExponentAt(slot).and(EXPONENT).eq(EXPONENT);
  return i32(STATUS.C1 | STATUS.C2).orElse(hasNone.or(flags.and(WITHHELD)), ALL_CODES);
}

/** (state) → whether there is a result, of ST(0) in its place. */
export function addUnary(
  module: ModuleBuilder,
  settle: Callee,
  float80: Float80Functions,
  operation: X87Unary,
): Callee {
  return define(module, [], 'i32', (f) => {
    const register = f.let(registerOf(f, 0));
    const slot = f.let(slotOf(f, register));
    const flags = f.let(i32(0));
    f.when(
      isFilled(f, register),
      () => {
        if (operation === 'fabs') setSign(f, slot, signExponentAt(slot).and(EXPONENT));
        else if (operation === 'fchs') setSign(f, slot, signExponentAt(slot).xor(SIGN));
        else flags.set(callOf(float80[operation], slot, slot, f.field('x87Control')));
      },
      () => underflow(f, flags, register, slot),
    );
    f.result(settled(f, settle, flags, isAngle(operation) ? STATUS.C1 | STATUS.C2 : STATUS.C1));
  });
}

const setSign = (f: FunctionCode, slot: Expression, signExponent: Expression): void =>
  putNumber(f, slot, signExponent, significandAt(slot));

/** C2 says that it is out of range. */
const isAngle = (operation: X87Unary | X87Split): boolean =>
  ['fsin', 'fcos', 'fsincos', 'fptan'].includes(operation);

/** (state) → whether there are results: in ST(0)'s place, and one pushed on it. */
export function addSplit(
  module: ModuleBuilder,
  settle: Callee,
  float80: Float80Functions,
  operation: X87Split,
): Callee {
  return define(module, [], 'i32', (f) => {
    const register = f.let(registerOf(f, 0));
    const next = f.let(registerOf(f, -1));
    const [slot, pushed] = [f.let(slotOf(f, register)), f.let(slotOf(f, next))];
    const flags = f.let(i32(0));
    const fault = (kind: 'overflow' | 'underflow') => {
      flags.set(stackFault(f, kind));
      f.when(hasResult(flags), () => {
        putIndefinite(f, slot);
        putIndefinite(f, pushed);
        setFilled(f, register);
      });
    };
    f.when(
      isFilled(f, register).isZero(),
      () => fault('underflow'),
      () =>
        f.when(
          isFilled(f, next),
          () => fault('overflow'),
          () => computeTwo(f, float80, operation, flags, slot, pushed),
        ),
    );
    const isDone = f.let(settled(f, settle, flags, isAngle(operation) ? STATUS.C1 | STATUS.C2 : STATUS.C1));
    f.when(isDone.and(flags.and(STATUS.C2).isZero()), () => {
      setTop(f, next);
      setFilled(f, next);
    });
    f.result(isDone);
  });
}

function computeTwo(
  f: FunctionCode,
  float80: Float80Functions,
  operation: X87Split,
  flags: Variable,
  slot: Expression,
  pushed: Expression,
): void {
  const control = f.field('x87Control');
  if (operation === 'fxtract') flags.set(callOf(float80.fxtract, pushed, slot, slot, control));
  else if (operation === 'fsincos') flags.set(callOf(float80.fsincos, slot, pushed, slot, control));
  else {
    flags.set(callOf(float80.fptan, slot, slot, control));
    f.when(flags.and(WITHHELD | STATUS.C2).isZero(), () => pushOne(f, slot, pushed));
  }
}

/** FPTAN's second result: 1, but a NaN again. */
function pushOne(f: FunctionCode, slot: Expression, pushed: Expression): void {
  f.when(
    signExponentAt(slot).and(EXPONENT).eq(EXPONENT),
    () => putNumber(f, pushed, signExponentAt(slot), significandAt(slot)),
    () => putNumber(f, pushed, i32(ONE.signExponent), i64(ONE.significand)),
  );
}

/** (state, b, more bits for the control word) → flags of ST(0) against it; the status word stays. */
export function addCompare(
  module: ModuleBuilder,
  float80: Float80Functions,
  operation: X87Comparison,
): Callee {
  return define(module, ['i32', 'i32'], 'i32', (f, b, more) => {
    const register = f.let(registerOf(f, 0));
    f.when(isFilled(f, register).and(isFilledAt(f, b!)), () => {
      const control = f.field('x87Control').or(more!);
      f.result(callOf(float80[operation], slotOf(f, register), slotAt(f, b!), control));
    });
    f.result(stackFault(f, 'underflow').or(UNORDERED));
  });
}

/** (state) → 1. */
export function addExamine(module: ModuleBuilder, settle: Callee, float80: Float80Functions): Callee {
  return define(module, [], 'i32', (f) => {
    const register = f.let(registerOf(f, 0));
    const found = f.let(callOf(float80.fxam, slotOf(f, register)));
    f.when(isFilled(f, register).isZero(), () => found.set(found.and(STATUS.C1).or(EMPTY)));
    f.result(settled(f, settle, found, ALL_CODES));
  });
}
