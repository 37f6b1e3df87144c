/** The x87's arithmetic, in the module that assembly/float80 becomes: what the interpreter imports of it, as `float80`. */
import type { FunctionType, ValueType } from '../wasm/code.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';

const withResult = (...parameters: ValueType[]): FunctionType => ({ parameters, results: ['i32'] });
const withoutResult = (...parameters: ValueType[]): FunctionType => ({ parameters, results: [] });

/** (destination, a, b, control), or with two destinations and one operand. */
const BINARY = withResult('i32', 'i32', 'i32', 'i32');
/** (destination, a, control), or (a, b, control). */
const UNARY = withResult('i32', 'i32', 'i32');

const TYPES = {
  ...{
    fadd: BINARY,
    fsub: BINARY,
    fmul: BINARY,
    fdiv: BINARY,
    fprem: BINARY,
    fprem1: BINARY,
    fscale: BINARY,
  },
  ...{ fyl2x: BINARY, fyl2xp1: BINARY, fpatan: BINARY, fxtract: BINARY, fsincos: BINARY },
  ...{ fsqrt: UNARY, frndint: UNARY, f2xm1: UNARY, fsin: UNARY, fcos: UNARY, fptan: UNARY },
  ...{ fst32: UNARY, fst64: UNARY, fist16: UNARY, fist32: UNARY, fist64: UNARY },
  ...{ fisttp16: UNARY, fisttp32: UNARY, fisttp64: UNARY, fbstp: UNARY, fcom: UNARY, fucom: UNARY },
  ...{ fld32: UNARY, fld64: withResult('i32', 'i64', 'i32') },
  ...{ widen32: withResult('i32', 'i32'), widen64: withResult('i32', 'i64'), fxam: withResult('i32') },
  ...{ fild: withoutResult('i32', 'i64'), fbld: withoutResult('i32', 'i32') },
  fldconst: withoutResult('i32', 'i32', 'i32'),
} as const satisfies Readonly<Record<string, FunctionType>>;

export type Float80Function = keyof typeof TYPES;
/** Their indices. */
export type Float80Functions = Readonly<Record<Float80Function, number>>;

export function importFloat80(module: ModuleBuilder): Float80Functions {
  const imports = Object.entries(TYPES).map(([name, type]) => [
    name,
    module.importFunction(name, type, 'float80'),
  ]);
  return Object.fromEntries(imports) as Float80Functions;
}
