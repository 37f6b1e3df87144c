/** All floating-point functions of a module, and what ends an instruction that used them. */
import type { FloatBinary, FloatShape } from '@vireo/x86-isa';
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { addProduct, addQuotient, addRoot, addSum } from './arithmetic.ts';
import { type Approximation, addApproximation, addCompare, addExtreme, addOrder } from './comparisons.ts';
import { addFromInteger, addNarrow, addRoundToInteger, addToInteger, addWiden } from './conversions.ts';
import { addFastOperation, eachLane } from './fast-paths.ts';
import { DOUBLE, type Format, SINGLE } from './format.ts';
import { ALL_EXCEPTIONS, MASK_SHIFT, PRE_COMPUTATION } from './mxcsr.ts';
import { addRounding, type Rounding } from './rounding.ts';
import { type Callee, define } from './soft-function.ts';

type ByBits = Readonly<Record<32 | 64, Callee>>;
type ByShape = Readonly<Record<FloatShape, Callee>>;

export interface FloatFunctions {
  /** (state, a, b) */
  readonly binary: Readonly<Record<FloatBinary, ByShape>>;
  /** (state, a) */
  readonly sqrt: ByShape;
  /** (state, a, b, predicate as an i64) */
  readonly compare: ByShape;
  /** (state, a, control as an i64) */
  readonly round: ByShape;
  /** (state, a, b), all i64 like those below. */
  readonly order: Readonly<Record<'quiet' | 'signaling', ByBits>>;
  /** (state, a) → the other format, by the result's. */
  readonly resize: ByBits;
  /** (state, integer) */
  readonly fromInteger: ByBits;
  /** (state, a), by the number's format, then the integer's. */
  readonly toInteger: Readonly<Record<'truncate' | 'round', Readonly<Record<32 | 64, ByBits>>>>;
  readonly approximate: Readonly<Record<Approximation, Callee>>;
  /** (state) → 1 if an exception is to be raised; the flags are in MXCSR. */
  readonly settle: Callee;
}

interface Parts {
  readonly format: Format;
  readonly rounding: Rounding;
}

export function addFloatFunctions(module: ModuleBuilder): FloatFunctions {
  const single: Parts = { format: SINGLE, rounding: addRounding(module, SINGLE) };
  const double: Parts = { format: DOUBLE, rounding: addRounding(module, DOUBLE) };
  const byBits = (make: (parts: Parts) => Callee): ByBits => ({ 32: make(single), 64: make(double) });
  const toInteger = (truncates: boolean) => ({
    32: byInteger((bits) => addToInteger(module, SINGLE, bits, truncates)),
    64: byInteger((bits) => addToInteger(module, DOUBLE, bits, truncates)),
  });
  const order = (quiet: boolean) => byBits(({ format }) => addOrder(module, format, quiet));
  return {
    binary: addBinary(module, byBits),
    sqrt: withFastPaths(
      module,
      'sqrt',
      byBits(({ format, rounding }) => addRoot(module, format, rounding)),
    ),
    compare: inAllShapes(
      module,
      byBits(({ format }) => addCompare(module, format)),
      2,
    ),
    round: inAllShapes(
      module,
      byBits(({ format }) => addRoundToInteger(module, format)),
      1,
    ),
    order: { quiet: order(true), signaling: order(false) },
    resize: { 32: addNarrow(module, single.rounding), 64: addWiden(module) },
    fromInteger: byBits(({ format, rounding }) => addFromInteger(module, format, rounding)),
    toInteger: { truncate: toInteger(true), round: toInteger(false) },
    approximate: {
      reciprocal: addApproximation(module, SINGLE, 'reciprocal'),
      'reciprocal-root': addApproximation(module, SINGLE, 'reciprocal-root'),
    },
    settle: addSettle(module),
  };
}

const byInteger = (make: (bits: 32 | 64) => Callee): ByBits => ({ 32: make(32), 64: make(64) });

function addBinary(
  module: ModuleBuilder,
  byBits: (make: (parts: Parts) => Callee) => ByBits,
): Readonly<Record<FloatBinary, ByShape>> {
  const add = (operation: FloatBinary, make: (parts: Parts) => Callee) =>
    withFastPaths(module, operation, byBits(make));
  return {
    add: add('add', ({ format, rounding }) => addSum(module, format, rounding, false)),
    sub: add('sub', ({ format, rounding }) => addSum(module, format, rounding, true)),
    mul: add('mul', ({ format, rounding }) => addProduct(module, format, rounding)),
    div: add('div', ({ format, rounding }) => addQuotient(module, format, rounding)),
    min: add('min', ({ format }) => addExtreme(module, format, 'min')),
    max: add('max', ({ format }) => addExtreme(module, format, 'max')),
  };
}

/** A function with the numbers as their format has them, for one whose numbers are all i64. */
function narrowed(
  module: ModuleBuilder,
  format: Format,
  soft: Callee,
  operands: number,
  rest: 'i64'[] = [],
): Callee {
  if (format.bits === 64) return soft;
  const numbers = Array<'i32'>(operands).fill('i32');
  return define(module, [...numbers, ...rest], 'i32', (f, ...values) => {
    f.result(f.invoke(soft, ...values.map((it, at) => (at < operands ? it.extend() : it))).wrap());
  });
}

function withFastPaths(module: ModuleBuilder, operation: FloatBinary | 'sqrt', soft: ByBits): ByShape {
  const single = narrowed(module, SINGLE, soft[32], operation === 'sqrt' ? 1 : 2);
  const add = (format: Format, isPacked: boolean) =>
    addFastOperation(module, format, isPacked, operation, format === SINGLE ? single : soft[64]);
  return {
    ...{ f32: add(SINGLE, false), f64: add(DOUBLE, false) },
    ...{ f32x4: add(SINGLE, true), f64x2: add(DOUBLE, true) },
  };
}

/** Software only; the last parameter is an i64 for all lanes. */
function inAllShapes(module: ModuleBuilder, soft: ByBits, operands: 1 | 2): ByShape {
  const packed = (format: Format, one: Callee): Callee =>
    define(module, [...Array<'v128'>(operands).fill('v128'), 'i64'], 'v128', (f, ...values) => {
      const last = values.pop()!;
      f.result(eachLane(f, format, one, values, last));
    });
  const f32 = narrowed(module, SINGLE, soft[32], operands, ['i64']);
  const f64 = soft[64];
  return { f32, f64, f32x4: packed(SINGLE, f32), f64x2: packed(DOUBLE, f64) };
}

/**
 * Adds what the instruction noted to MXCSR's flags. If an exception that is found before anything is computed is
 * unmasked, no others are looked for (Intel SDM Vol. 1 §11.5.3.2 "Handling Unmasked Exceptions").
 */
function addSettle(module: ModuleBuilder): Callee {
  return define(module, [], 'i32', (f) => {
    const flags = f.let(f.field('floatFlags'));
    f.setField('floatFlags', 0);
    const unmasked = f.let(f.field('mxcsr').shr(MASK_SHIFT).xor(-1));
    f.when(flags.and(unmasked).and(PRE_COMPUTATION), () => flags.set(flags.and(PRE_COMPUTATION)));
    f.setField('mxcsr', f.field('mxcsr').or(flags));
    f.result(flags.and(unmasked).and(ALL_EXCEPTIONS).ne(0));
  });
}
