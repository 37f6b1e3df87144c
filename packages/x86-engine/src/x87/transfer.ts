/** Functions for what moves numbers: onto the stack, out of it, within it. */
import type { Expression, FunctionCode, Variable } from '../float/function-code.ts';
import { type Callee, define } from '../float/soft-function.ts';
import type { ValueType } from '../wasm/code.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { settled } from './settle.ts';
import {
  i32,
  isFilled,
  putIndefinite,
  putNumber,
  registerOf,
  setEmpty,
  setFilled,
  setTop,
  signExponentAt,
  significandAt,
  slotOf,
  stackFault,
} from './stack.ts';
import { STATUS, WITHHELD } from './status-word.ts';

/** (state, …parameters) → whether it was pushed. `make` gives the number its slot and returns flags. */
export function addPush(
  module: ModuleBuilder,
  settle: Callee,
  parameters: readonly ValueType[],
  make: (f: FunctionCode, slot: Expression, flags: Variable, ...parameters: Variable[]) => void,
): Callee {
  return define(module, parameters, 'i32', (f, ...values) => {
    const register = f.let(registerOf(f, -1));
    const slot = f.let(slotOf(f, register));
    const flags = f.let(i32(0));
    f.when(
      isFilled(f, register),
      () => {
        flags.set(stackFault(f, 'overflow'));
        f.when(flags.and(WITHHELD).isZero(), () => putIndefinite(f, slot));
      },
      () => make(f, slot, flags, ...values),
    );
    f.when(flags.and(WITHHELD).isZero(), () => {
      setTop(f, register);
      setFilled(f, register);
    });
    f.result(settled(f, settle, flags));
  });
}

export function copy(f: FunctionCode, destination: Expression, source: Expression): void {
  putNumber(f, destination, signExponentAt(source), significandAt(source));
}

/** (state, place) → whether it was pushed. That there is nothing to push counts before that there is no room. */
export function addPushCopy(module: ModuleBuilder, settle: Callee): Callee {
  const push = addPush(module, settle, ['i32'], (f, slot, _, source) => copy(f, slot, source!));
  return define(module, ['i32'], 'i32', (f, place) => {
    const register = f.let(registerOf(f, place!));
    f.when(isFilled(f, register), () => f.result(f.invoke(push, slotOf(f, register))));
    const flags = f.let(stackFault(f, 'underflow'));
    const next = f.let(registerOf(f, -1));
    f.when(flags.and(WITHHELD).isZero(), () => {
      putIndefinite(f, slotOf(f, next));
      setTop(f, next);
      setFilled(f, next);
    });
    f.result(settled(f, settle, flags));
  });
}

/** (state, destination, source, whether to) → whether it was done, or would have been. */
export function addMove(module: ModuleBuilder, settle: Callee, isConditional: boolean): Callee {
  return define(module, ['i32', 'i32', 'i32'], 'i32', (f, destination, source, condition) => {
    const [to, from] = [f.let(registerOf(f, destination!)), f.let(registerOf(f, source!))];
    const isThere = isConditional ? isFilled(f, from).and(isFilled(f, to)) : isFilled(f, from);
    const flags = f.let(i32(0));
    f.when(
      isThere,
      () => f.when(condition!, () => copy(f, slotOf(f, to), slotOf(f, from))),
      () => {
        flags.set(stackFault(f, 'underflow'));
        f.when(flags.and(WITHHELD).isZero(), () => putIndefinite(f, slotOf(f, to)));
      },
    );
    f.when(flags.and(WITHHELD).isZero(), () => setFilled(f, to));
    // FCMOVcc leaves C1 unless it faults.
    f.result(settled(f, settle, flags, isConditional ? flags.and(STATUS.SF).shl(C1_FROM_SF) : STATUS.C1));
  });
}

/** From SF's place to that of C1. */
const C1_FROM_SF = 3;

/** (state, place) → whether it was done. In the masked response what was empty is the indefinite. */
export function addExchange(module: ModuleBuilder, settle: Callee): Callee {
  return define(module, ['i32'], 'i32', (f, place) => {
    const [a, b] = [f.let(registerOf(f, 0)), f.let(registerOf(f, place!))];
    const [slotA, slotB] = [f.let(slotOf(f, a)), f.let(slotOf(f, b))];
    const flags = f.let(i32(0));
    f.when(isFilled(f, a).and(isFilled(f, b)).isZero(), () => {
      flags.set(stackFault(f, 'underflow'));
      f.when(flags.and(WITHHELD), () => f.result(settled(f, settle, flags)));
      for (const [register, slot] of [
        [a, slotA],
        [b, slotB],
      ] as const)
        f.when(isFilled(f, register).isZero(), () => {
          putIndefinite(f, slot);
          setFilled(f, register);
        });
    });
    const [top, significand] = [f.let(signExponentAt(slotA)), f.let(significandAt(slotA))];
    copy(f, slotA, slotB);
    putNumber(f, slotB, top, significand);
    f.result(settled(f, settle, flags));
  });
}

/** Of `procedure`: forgets ST(0). */
export function pop(f: FunctionCode): void {
  const register = f.let(registerOf(f, 0));
  setEmpty(f, register);
  setTop(f, f.let(register.add(1).and(7)));
}

/** Of `procedure`, with by how much: C1 is cleared. */
export function rotate(f: FunctionCode, by: Expression): void {
  setTop(f, f.let(registerOf(f, by)));
  clearC1(f);
}

export function free(f: FunctionCode, place: Expression): void {
  setEmpty(f, f.let(registerOf(f, place)));
  clearC1(f);
}

function clearC1(f: FunctionCode): void {
  f.setField('x87Status', f.field('x87Status').and(~STATUS.C1));
}
