/** WebAssembly's floating-point instructions (WebAssembly Core Specification 3.0, §5.4.8 "Numeric Instructions"). */
import type { ValueType } from '../wasm/code.ts';

export const F32 = {
  ...{
    eq: 0x5b,
    ne: 0x5c,
    lt: 0x5d,
    le: 0x5f,
    abs: 0x8b,
    ceil: 0x8d,
    floor: 0x8e,
    trunc: 0x8f,
    nearest: 0x90,
  },
  ...{ sqrt: 0x91, add: 0x92, sub: 0x93, mul: 0x94, div: 0x95 },
} as const;

export const F64: Readonly<Record<keyof typeof F32, number>> = {
  ...{
    eq: 0x61,
    ne: 0x62,
    lt: 0x63,
    le: 0x65,
    abs: 0x99,
    ceil: 0x9b,
    floor: 0x9c,
    trunc: 0x9d,
    nearest: 0x9e,
  },
  ...{ sqrt: 0x9f, add: 0xa0, sub: 0xa1, mul: 0xa2, div: 0xa3 },
};

export const FLOAT_CONVERT = {
  i32TruncF64S: 0xaa,
  i64TruncF64S: 0xb0,
  f32ConvertI64S: 0xb4,
  f32DemoteF64: 0xb6,
  f64ConvertI64S: 0xb9,
  f64PromoteF32: 0xbb,
  reinterpret: {
    ...{ f32: ['i32', 0xbc], f64: ['i64', 0xbd], i32: ['f32', 0xbe], i64: ['f64', 0xbf] },
  } as Readonly<Record<Exclude<ValueType, 'v128'>, readonly [ValueType, number]>>,
} as const;
