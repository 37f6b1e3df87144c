/** What tests make interpreters with. */
import { float80Bytes } from '../float80/testing/float80-module.ts';
import { instantiateInterpreter } from '../interpreter/interpreter-instance.ts';
import type { InterpreterExports, InterpreterImports } from '../interpreter/interpreter-module.ts';

const FLOAT80 = new WebAssembly.Module(await float80Bytes());

export function instantiate(
  interpreter: WebAssembly.Module,
  host: InterpreterImports & { readonly memory: WebAssembly.Memory },
): InterpreterExports {
  return instantiateInterpreter(interpreter, FLOAT80, host);
}
