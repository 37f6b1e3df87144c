/** What tests make interpreters with. */
import { instantiateInterpreter } from '../interpreter/interpreter-instance.ts';
import type { InterpreterExports, InterpreterImports } from '../interpreter/interpreter-module.ts';
import { assemblyBytes } from './built-assembly.ts';

const FLOAT80 = new WebAssembly.Module(await assemblyBytes('float80'));

export function instantiate(
  interpreter: WebAssembly.Module,
  host: InterpreterImports & { readonly memory: WebAssembly.Memory },
): InterpreterExports {
  return instantiateInterpreter(interpreter, FLOAT80, host);
}
