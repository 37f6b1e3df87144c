/** Functions of the software floating point: numbers are bits in an i64, whatever their format. */
import type { ValueType } from '../wasm/code.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { FunctionCode, type Variable } from './function-code.ts';

export interface Callee {
  readonly index: number;
  readonly result: ValueType;
}

/** Adds a function (state, …parameters) → result. */
export function define(
  module: ModuleBuilder,
  parameters: readonly ValueType[],
  result: ValueType,
  body: (f: FunctionCode, ...parameters: Variable[]) => void,
): Callee {
  const f = new FunctionCode({ parameters: ['i32', ...parameters], results: [result] });
  body(f, ...f.parameters.slice(1));
  return { index: module.add(f), result };
}
