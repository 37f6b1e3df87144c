/** Values of the builder as WebAssembly has them: in local variables, zero-extended to an i32, an i64 or a v128. */
import type { Value, ValueBits } from '@vireo/x86-isa';
import type { ValueType } from '../wasm/code.ts';
import { I32, I64 } from '../wasm/instructions.ts';

export interface WasmValue {
  readonly bits: ValueBits;
  readonly local: number;
}

/** The builder's values are opaque to semantics only. */
export const asWasm = (value: Value): WasmValue => value as unknown as WasmValue;
export const asValue = (value: WasmValue): Value => value as unknown as Value;

export const typeOf = (bits: ValueBits): ValueType => {
  if (bits >= 80) return 'v128';
  return bits === 64 ? 'i64' : 'i32';
};
export const arithmeticOf = (bits: ValueBits): typeof I32 => (bits === 64 ? I64 : I32);

/** The ones of a width below 32 bits. */
export const maskOf = (bits: ValueBits): number => 2 ** bits - 1;
