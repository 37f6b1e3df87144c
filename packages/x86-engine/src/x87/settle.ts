/** What every operation ends with, and how a function that changes the stack's state is defined. */
import { Expression, FunctionCode, type Term, type Variable } from '../float/function-code.ts';
import { type Callee, define } from '../float/soft-function.ts';
import type { ValueType } from '../wasm/code.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { EXCEPTIONS, STATUS, WITHHELD_SHIFT } from './status-word.ts';

/** A function (state, …parameters) that gives nothing. @returns its index */
export function procedure(
  module: ModuleBuilder,
  parameters: readonly ValueType[],
  body: (f: FunctionCode, ...parameters: Variable[]) => void,
): number {
  const f = new FunctionCode({ parameters: ['i32', ...parameters], results: [] });
  body(f, ...f.parameters.slice(1));
  return module.add(f);
}

/**
 * (state, flags, condition codes) → whether there is a result. Notes exceptions, replaces these condition codes, and
 * makes an exception that is not masked pending (Intel SDM Vol. 1 §8.1.3.3 "x87 FPU Floating-Point Exception Flags").
 */
export function addSettle(module: ModuleBuilder): Callee {
  return define(module, ['i32', 'i32'], 'i32', (f, flags, codes) => {
    const kept = f.field('x87Status').and(codes!.xor(-1));
    const status = f.let(kept.or(flags!.and(codes!.or(EXCEPTIONS | STATUS.SF))));
    f.when(flags!.and(f.field('x87Control').xor(-1)).and(EXCEPTIONS), () =>
      status.set(status.or(STATUS.pending)),
    );
    f.setField('x87Status', status);
    f.result(flags!.shr(WITHHELD_SHIFT).and(1).xor(1));
  });
}

/** (state): whether an exception is pending follows from the words, which are new. */
export function addUpdatePending(module: ModuleBuilder): number {
  return procedure(module, [], (f) => {
    const status = f.let(f.field('x87Status').and(~STATUS.pending));
    f.when(status.and(f.field('x87Control').xor(-1)).and(EXCEPTIONS), () =>
      status.set(status.or(STATUS.pending)),
    );
    f.setField('x87Status', status);
  });
}

export const settled = (
  f: FunctionCode,
  settle: Callee,
  flags: Expression,
  codes: Term = STATUS.C1,
): Expression =>
  f.invoke(settle, flags, codes instanceof Expression ? codes : Expression.constant('i32', codes));
