/** The builder's operations on values, as WebAssembly's instructions on local variables. */
import type { BinaryOperation, Comparison, ShiftOperation, Value, ValueBits } from '@vireo/x86-isa';
import { Code } from '../wasm/code.ts';
import { CONVERT, I32, OP } from '../wasm/instructions.ts';
import { HANDLER_TYPE } from './handler-type.ts';
import { arithmeticOf, asValue, asWasm, maskOf, typeOf, type WasmValue } from './wasm-value.ts';

const SHIFTS = { shl: 'shl', shr: 'shrU', sar: 'shrS', rotl: 'rotl', rotr: 'rotr' } as const;

export class ValueBuilder {
  readonly code = new Code(HANDLER_TYPE);

  constant(bits: ValueBits, value: number | bigint): Value {
    return this.result(bits, () => {
      if (bits === 64) this.code.i64(BigInt(value));
      else this.code.i32(Number(BigInt.asUintN(bits, BigInt(value))));
    });
  }

  binary(operation: BinaryOperation, a: Value, b: Value): Value {
    const wraps = operation === 'add' || operation === 'sub' || operation === 'mul';
    return this.result(a.bits, () => {
      this.get(a, b).op(arithmeticOf(a.bits)[operation]);
      if (wraps) this.wrap(a.bits);
    });
  }

  shift(operation: ShiftOperation, a: Value, count: Value): Value {
    const { bits } = a;
    if (bits < 32 && (operation === 'rotl' || operation === 'rotr'))
      throw new Error(`no ${operation} of ${bits} bits: shift both ways`);
    return this.result(bits, () => {
      if (operation === 'sar' && bits < 32) this.pushSigned(a, 32);
      else this.get(a);
      this.get(this.#sameType(count, bits)).op(arithmeticOf(bits)[SHIFTS[operation]]);
      if (operation !== 'shr') this.wrap(bits);
    });
  }

  compare(comparison: Comparison, a: Value, b: Value): Value {
    const signed = comparison === 'ltS' || comparison === 'leS';
    return this.result(1, () => {
      for (const value of [a, b]) {
        if (signed && value.bits < 32) this.pushSigned(value, 32);
        else this.get(value);
      }
      this.code.op(arithmeticOf(a.bits)[comparison]);
    });
  }

  not(a: Value): Value {
    const ones = this.constant(a.bits, -1n);
    return this.binary('xor', a, ones);
  }

  zeroExtend(a: Value, bits: ValueBits): Value {
    if (bits === a.bits) return a;
    return this.result(bits, () => {
      this.get(a);
      if (bits === 64) this.code.op(CONVERT.i64ExtendI32U);
    });
  }

  signExtend(a: Value, bits: ValueBits): Value {
    if (bits === a.bits) return a;
    return this.result(bits, () => {
      this.pushSigned(a, bits === 64 ? 64 : 32);
      this.wrap(bits);
    });
  }

  truncate(a: Value, bits: ValueBits): Value {
    if (bits === a.bits) return a;
    return this.result(bits, () => {
      this.get(a);
      if (a.bits === 64) this.code.op(CONVERT.i32WrapI64);
      this.wrap(bits);
    });
  }

  count(what: 'clz' | 'ctz' | 'popcnt', a: Value): Value {
    const { bits } = a;
    return this.result(bits, () => {
      this.get(a);
      // A one above the width stops the count there.
      if (what === 'ctz' && bits < 32) this.code.i32(2 ** bits).op(I32.or);
      this.code.op(arithmeticOf(bits)[what]);
      if (what === 'clz' && bits < 32) this.code.i32(32 - bits).op(I32.sub);
    });
  }

  select(condition: Value, ifTrue: Value, ifFalse: Value): Value {
    return this.result(ifTrue.bits, () => this.get(ifTrue, ifFalse, condition).op(OP.select));
  }

  if(condition: Value, then: () => void, otherwise?: () => void): void {
    this.get(condition);
    this.code.if(then, otherwise);
  }

  /** What the code of `make` leaves on the stack, in a local variable. */
  protected result(bits: ValueBits, make: () => void): Value {
    make();
    const local = this.code.local(typeOf(bits));
    this.code.set(local);
    return asValue({ bits, local } satisfies WasmValue);
  }

  protected get(...values: readonly Value[]): Code {
    for (const value of values) this.code.get(asWasm(value).local);
    return this.code;
  }

  protected wrap(bits: ValueBits): void {
    if (bits < 32) this.code.i32(maskOf(bits)).op(I32.and);
  }

  /** Leaves a value on the stack, sign-extended. */
  protected pushSigned(value: Value, to: 32 | 64): void {
    this.get(value);
    if (value.bits === 8) this.code.op(CONVERT.i32Extend8S);
    if (value.bits === 16) this.code.op(CONVERT.i32Extend16S);
    if (to === 64 && value.bits !== 64) this.code.op(CONVERT.i64ExtendI32S);
  }

  #sameType(count: Value, bits: ValueBits): Value {
    if (typeOf(count.bits) === typeOf(bits)) return count;
    return bits === 64 ? this.zeroExtend(count, 64) : this.truncate(count, 32);
  }
}
