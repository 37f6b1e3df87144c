/**
 * Operations as code meets them nearly always: with WebAssembly's own floating point when that gives x86's result and no
 * exceptions but ones whose flags are set, else in software.
 *
 * That is so when MXCSR is as after a reset but for PE, which the first inexact result sets for good; no operand is a
 * denormal (DE), and the result is normal (so not invalid, no overflow, no underflow), or a zero that is exact. The least
 * normal number is left to software: what was rounded up to it may have been tiny (UE).
 */
import type { ValueType } from '../wasm/code.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { ALL_TRUE, FLOAT_VECTOR, SPLAT, VECTOR_BINARY } from '../wasm/vector-instructions.ts';
import type { ArithmeticOperation } from './arithmetic.ts';
import type { Format } from './format.ts';
import { Expression, type FunctionCode } from './function-code.ts';
import { SIMPLE_MASK, SIMPLE_VALUE } from './mxcsr.ts';
import { type Callee, define } from './soft-function.ts';

type Operation = ArithmeticOperation | 'sqrt' | 'min' | 'max';

export const integerOf = (format: Format): 'i32' | 'i64' => (format.bits === 32 ? 'i32' : 'i64');

/** Lanes of numbers in a format, as conditions are put on all of them: ones where they hold. */
class Lanes {
  readonly shape: 'i32x4' | 'i64x2';
  readonly #format: Format;
  readonly #count: number;

  constructor(format: Format, isPacked: boolean) {
    this.#format = format;
    this.shape = format.bits === 32 ? 'i32x4' : 'i64x2';
    this.#count = isPacked ? 128 / format.bits : 1;
  }

  get isPacked(): boolean {
    return this.#count > 1;
  }

  constant(value: bigint): Expression {
    const scalar = Expression.constant(integerOf(this.#format), value);
    return this.isPacked ? scalar.vector(SPLAT[this.shape]) : scalar;
  }

  and(a: Expression, b: Expression): Expression {
    return this.isPacked ? a.vector(VECTOR_BINARY['v128.and'], b) : a.and(b);
  }

  or(a: Expression, b: Expression): Expression {
    return this.isPacked ? a.vector(VECTOR_BINARY['v128.or'], b) : a.or(b);
  }

  /** Of magnitudes, which have no sign. */
  less(a: Expression, b: Expression): Expression {
    return this.isPacked ? a.vector(VECTOR_BINARY[`${this.shape}.lt_s`], b) : a.ltS(b);
  }

  equal(a: Expression, b: Expression): Expression {
    return this.isPacked ? a.vector(VECTOR_BINARY[`${this.shape}.eq`], b) : a.eq(b);
  }

  all(condition: Expression): Expression {
    return this.isPacked ? condition.vector(ALL_TRUE[this.shape], undefined, 'i32') : condition;
  }

  magnitude(a: Expression): Expression {
    return this.and(a, this.constant(this.#format.magnitude));
  }

  isZero(magnitude: Expression): Expression {
    return this.equal(magnitude, this.constant(0n));
  }

  /** Zero, normal but not the least one, or infinite if `infinite`. */
  isPlain(magnitude: Expression, infinite: boolean): Expression {
    const { leastNormal, infinity } = this.#format;
    const isMore = this.less(this.constant(leastNormal), magnitude);
    const atMost = this.less(magnitude, this.constant(infinity + (infinite ? 1n : 0n)));
    return this.or(this.and(isMore, atMost), this.isZero(magnitude));
  }
}

/** What the operation is with WebAssembly's numbers; of a vector, with its instruction for all lanes. */
function compute(
  format: Format,
  packed: boolean,
  operation: Operation,
  a: Expression,
  b?: Expression,
): Expression {
  if (packed) {
    const table = FLOAT_VECTOR[format.bits === 32 ? 'f32x4' : 'f64x2'];
    // The pseudo-minimum is the second operand unless the other is less, so the operands change places.
    if (operation === 'min') return b!.vector(table.pmin, a);
    if (operation === 'max') return b!.vector(table.pmax, a);
    return a.vector(table[operation], b);
  }
  const [x, y] = [a.reinterpret(), b?.reinterpret()];
  if (operation === 'min') return a.orElse(x.float('lt', y), b!);
  if (operation === 'max') return a.orElse(y!.float('lt', x), b!);
  return x.float(operation, y).reinterpret();
}

/** (state, a, b) → result, of scalars or vectors; the root has one operand. */
export function addFastOperation(
  module: ModuleBuilder,
  format: Format,
  isPacked: boolean,
  operation: Operation,
  soft: Callee,
): Callee {
  const type: ValueType = isPacked ? 'v128' : integerOf(format);
  const isUnary = operation === 'sqrt';
  const lanes = new Lanes(format, isPacked);
  return define(module, isUnary ? [type] : [type, type], type, (f, a, b) => {
    const result = f.let(compute(format, isPacked, operation, a!, b));
    const isSimple =
      operation === 'min' || operation === 'max'
        ? plainOperands(f, lanes, a!, b!)
        : f
            .field('mxcsr')
            .and(SIMPLE_MASK)
            .eq(SIMPLE_VALUE)
            .and(plainResult(f, lanes, operation, result, a!, b));
    f.when(isSimple, () => f.result(result));
    const operands = b ? [a!, b] : [a!];
    f.result(isPacked ? eachLane(f, format, soft, operands) : f.invoke(soft, ...operands));
  });
}

function plainOperands(f: FunctionCode, lanes: Lanes, a: Expression, b: Expression): Expression {
  const [x, y] = [f.let(lanes.magnitude(a)), f.let(lanes.magnitude(b))];
  return lanes.all(lanes.and(lanes.isPlain(x, true), lanes.isPlain(y, true)));
}

function plainResult(
  f: FunctionCode,
  lanes: Lanes,
  operation: Operation,
  result: Expression,
  a: Expression,
  b?: Expression,
): Expression {
  const x = f.let(lanes.magnitude(a));
  const of = f.let(lanes.magnitude(result));
  let condition = lanes.and(lanes.isPlain(of, false), lanes.isPlain(x, false));
  if (b) {
    const y = f.let(lanes.magnitude(b));
    condition = lanes.and(condition, lanes.isPlain(y, false));
    // A product or quotient that is 0 though its operands are not is too small.
    const isExact = operation === 'mul' ? lanes.or(lanes.isZero(x), lanes.isZero(y)) : lanes.isZero(x);
    if (operation === 'mul' || operation === 'div')
      condition = lanes.and(condition, lanes.or(isExact, lanes.less(lanes.constant(0n), of)));
  }
  return lanes.all(condition);
}

/** An operation in software on one lane after the other; `rest` is the same for all. */
export function eachLane(
  f: FunctionCode,
  format: Format,
  one: Callee,
  vectors: readonly Expression[],
  ...rest: Expression[]
): Expression {
  const shape = format.bits === 32 ? 'i32x4' : 'i64x2';
  let result = vectors[0]!;
  for (let place = 0; place < 128 / format.bits; place++) {
    const lanes = vectors.map((it) => it.lane(shape, place));
    result = result.withLane(shape, place, f.invoke(one, ...lanes, ...rest));
  }
  return result;
}
