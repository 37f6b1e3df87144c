/**
 * An interpreter with what it imports. Each vCPU has one of its own, with its own instance of assembly/float80, which
 * keeps numbers in globals while it computes.
 */
import type { InterpreterExports, InterpreterImports } from './interpreter-module.ts';

/** `float80`: the compiled module of that name. */
export function instantiateInterpreter(
  interpreter: WebAssembly.Module,
  float80: WebAssembly.Module,
  host: InterpreterImports & { readonly memory: WebAssembly.Memory },
): InterpreterExports {
  const { exports } = new WebAssembly.Instance(float80, { env: { memory: host.memory } });
  const instance = new WebAssembly.Instance(interpreter, { host: { ...host }, float80: exports });
  return instance.exports as unknown as InterpreterExports;
}
