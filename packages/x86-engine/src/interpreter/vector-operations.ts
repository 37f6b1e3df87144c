/** The builder's operations on vectors, as WebAssembly's vector instructions on local variables. */
import type {
  IntegerShape,
  Value,
  ValueBits,
  VectorBinary,
  VectorBuilder,
  VectorShift,
  VectorUnary,
} from '@vireo/x86-isa';
import { offsetOf, XMM_STRIDE_BYTES } from '../cpu-state.ts';
import type { Code } from '../wasm/code.ts';
import { I32 } from '../wasm/instructions.ts';
import {
  BITMASK,
  EXTRACT_LANE,
  REPLACE_LANE,
  SPLAT,
  VECTOR,
  VECTOR_BINARY,
  VECTOR_SHIFT,
  VECTOR_UNARY,
} from '../wasm/vector-instructions.ts';
import { STATE_LOCAL } from './handler-type.ts';
import { pushRaise } from './raise.ts';
import type { VectorFunctions } from './vector-functions.ts';
import { asValue, asWasm, typeOf } from './wasm-value.ts';

const LANE_BITS: Readonly<Record<IntegerShape, ValueBits>> = { i8x16: 8, i16x8: 16, i32x4: 32, i64x2: 64 };
const VECTOR_BYTES = 16;
/** Of the x87 status word: an exception is pending, and which register is on top. */
const X87_ERROR = 0x80;
const X87_TOP = 0x3800;
/** The abridged tag word. */
const ALL_VALID = 0xff;

export function bytesOf(value: bigint): number[] {
  return Array.from({ length: VECTOR_BYTES }, (_, at) => Number((value >> BigInt(at * 8)) & 0xffn));
}

export class VectorOperations implements VectorBuilder {
  readonly #code: Code;
  readonly #functions: VectorFunctions;

  constructor(code: Code, functions: VectorFunctions) {
    this.#code = code;
    this.#functions = functions;
  }

  constant(value: bigint): Value {
    return this.#result(128, () => this.#code.vector(VECTOR.const, ...bytesOf(value)));
  }

  unary(operation: VectorUnary, a: Value): Value {
    return this.#result(128, () => this.#get(a).vector(VECTOR_UNARY[operation]));
  }

  binary(operation: VectorBinary, a: Value, b: Value): Value {
    return this.#result(128, () => this.#get(a, b).vector(VECTOR_BINARY[operation]));
  }

  shift(operation: VectorShift, a: Value, count: Value): Value {
    return this.#result(128, () => this.#get(a, count).vector(VECTOR_SHIFT[operation]));
  }

  shuffle(a: Value, b: Value, places: readonly number[]): Value {
    return this.#result(128, () => this.#get(a, b).vector(VECTOR.shuffle, ...places));
  }

  bitselect(mask: Value, ifOne: Value, ifZero: Value): Value {
    return this.#result(128, () => this.#get(ifOne, ifZero, mask).vector(VECTOR.bitselect));
  }

  lane(shape: IntegerShape, a: Value, place: number): Value {
    return this.#result(LANE_BITS[shape], () => this.#get(a).vector(EXTRACT_LANE[shape], place));
  }

  withLane(shape: IntegerShape, a: Value, place: number, value: Value): Value {
    return this.#result(128, () => this.#get(a, value).vector(REPLACE_LANE[shape], place));
  }

  splat(shape: IntegerShape, value: Value): Value {
    return this.#result(128, () => this.#get(value).vector(SPLAT[shape]));
  }

  bitmask(shape: IntegerShape, a: Value): Value {
    return this.#result(32, () => this.#get(a).vector(BITMASK[shape]));
  }

  anyTrue(a: Value): Value {
    return this.#result(1, () => this.#get(a).vector(VECTOR.anyTrue));
  }

  zeroExtend(value: Value): Value {
    return this.withLane(value.bits === 64 ? 'i64x2' : 'i32x4', this.constant(0n), 0, value);
  }

  register(number: number): Value {
    const offset = offsetOf('xmm') + number * XMM_STRIDE_BYTES;
    return this.#result(128, () => this.#code.get(STATE_LOCAL).load(128, offset));
  }

  setRegister(number: number, value: Value): void {
    this.#code.get(STATE_LOCAL);
    this.#get(value).store(128, offsetOf('xmm') + number * XMM_STRIDE_BYTES);
  }

  checkMmx(): void {
    const code = this.#code;
    code.get(STATE_LOCAL).load(32, offsetOf('x87Status')).i32(X87_ERROR).op(I32.and);
    code.if(() => pushRaise(code, 'MF'));
  }

  enterMmx(): void {
    this.#resetStack(ALL_VALID);
  }

  leaveMmx(): void {
    this.#resetStack(0);
  }

  #resetStack(tags: number): void {
    const code = this.#code;
    code.get(STATE_LOCAL).get(STATE_LOCAL).load(32, offsetOf('x87Status'));
    code.i32(~X87_TOP).op(I32.and).store(32, offsetOf('x87Status'));
    code.get(STATE_LOCAL).i32(tags).store(32, offsetOf('x87Tags'));
  }

  compareStrings(a: Value, aLength: Value, b: Value, bLength: Value, control: Value): Value {
    return this.#result(32, () => {
      this.#code.get(STATE_LOCAL);
      this.#get(a, b, aLength, bLength, control).call(this.#functions.compareStrings.index);
    });
  }

  #result(bits: ValueBits, make: () => void): Value {
    make();
    const local = this.#code.local(typeOf(bits));
    this.#code.set(local);
    return asValue({ bits, local });
  }

  #get(...values: readonly Value[]): Code {
    for (const value of values) this.#code.get(asWasm(value).local);
    return this.#code;
  }
}
