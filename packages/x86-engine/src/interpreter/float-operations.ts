/** The builder's floating-point operations, as calls of the module's functions for them. */
import type { FloatBinary, FloatBits, FloatBuilder, FloatShape, Value, ValueBits } from '@vireo/x86-isa';
import { offsetOf } from '../cpu-state.ts';
import type { FloatFunctions } from '../float/float-functions.ts';
import { MXCSR_RESERVED } from '../float/mxcsr.ts';
import type { Callee } from '../float/soft-function.ts';
import type { Code } from '../wasm/code.ts';
import { CONVERT, I32 } from '../wasm/instructions.ts';
import { STATE_LOCAL } from './handler-type.ts';
import { pushRaise } from './raise.ts';
import { asValue, asWasm, typeOf } from './wasm-value.ts';

const SHAPE_BITS: Readonly<Record<FloatShape, ValueBits>> = { f32: 32, f64: 64, f32x4: 128, f64x2: 128 };

export class FloatOperations implements FloatBuilder {
  readonly #code: Code;
  readonly #functions: FloatFunctions;

  constructor(code: Code, functions: FloatFunctions) {
    this.#code = code;
    this.#functions = functions;
  }

  binary(operation: FloatBinary, shape: FloatShape, a: Value, b: Value): Value {
    return this.#call(this.#functions.binary[operation][shape], SHAPE_BITS[shape], a, b);
  }

  sqrt(shape: FloatShape, a: Value): Value {
    return this.#call(this.#functions.sqrt[shape], SHAPE_BITS[shape], a);
  }

  compare(shape: FloatShape, a: Value, b: Value, predicate: Value): Value {
    return this.#call(this.#functions.compare[shape], SHAPE_BITS[shape], a, b, this.#wide(predicate));
  }

  round(shape: FloatShape, a: Value, control: Value): Value {
    return this.#call(this.#functions.round[shape], SHAPE_BITS[shape], a, this.#wide(control));
  }

  order(bits: FloatBits, a: Value, b: Value, quiet: boolean): Value {
    const callee = this.#functions.order[quiet ? 'quiet' : 'signaling'][bits];
    return this.#callWide(callee, 32, a, b);
  }

  resize(a: Value, bits: FloatBits): Value {
    return this.#callWide(this.#functions.resize[bits], bits, a);
  }

  fromInteger(a: Value, bits: FloatBits): Value {
    return this.#call64(this.#functions.fromInteger[bits], bits, () => {
      this.#code.get(asWasm(a).local);
      if (a.bits === 32) this.#code.op(CONVERT.i64ExtendI32S);
    });
  }

  toInteger(a: Value, bits: FloatBits, truncate: boolean): Value {
    const callees = this.#functions.toInteger[truncate ? 'truncate' : 'round'];
    return this.#callWide(callees[a.bits as FloatBits][bits], bits, a);
  }

  approximate(operation: 'reciprocal' | 'reciprocal-root', a: Value): Value {
    return this.#callWide(this.#functions.approximate[operation], 32, a);
  }

  settle(): void {
    const code = this.#code;
    code.get(STATE_LOCAL).load(32, offsetOf('floatFlags'));
    code.if(() => {
      code.get(STATE_LOCAL).call(this.#functions.settle.index);
      code.if(() => pushRaise(code, 'XM'));
    });
  }

  readControl(): Value {
    return this.#result(32, () => this.#code.get(STATE_LOCAL).load(32, offsetOf('mxcsr')));
  }

  writeControl(value: Value): void {
    const code = this.#code;
    code.get(asWasm(value).local).i32(MXCSR_RESERVED).op(I32.and);
    code.if(() => pushRaise(code, 'GP'));
    code.get(STATE_LOCAL).get(asWasm(value).local).store(32, offsetOf('mxcsr'));
  }

  /** Values as they are. */
  #call({ index }: Callee, bits: ValueBits, ...values: readonly Value[]): Value {
    return this.#result(bits, () => {
      this.#code.get(STATE_LOCAL);
      for (const value of values) this.#code.get(asWasm(value).local);
      this.#code.call(index);
    });
  }

  /** Values as i64, and so the result. */
  #callWide(callee: Callee, bits: ValueBits, ...values: readonly Value[]): Value {
    return this.#call64(callee, bits, () => {
      for (const value of values) this.#code.get(asWasm(this.#wide(value)).local);
    });
  }

  #call64({ index }: Callee, bits: ValueBits, push: () => void): Value {
    return this.#result(bits, () => {
      this.#code.get(STATE_LOCAL);
      push();
      this.#code.call(index);
      if (bits !== 64) this.#code.op(CONVERT.i32WrapI64);
    });
  }

  #wide(value: Value): Value {
    if (value.bits === 64) return value;
    return this.#result(64, () => this.#code.get(asWasm(value).local).op(CONVERT.i64ExtendI32U));
  }

  #result(bits: ValueBits, make: () => void): Value {
    make();
    const local = this.#code.local(typeOf(bits));
    this.#code.set(local);
    return asValue({ bits, local });
  }
}
