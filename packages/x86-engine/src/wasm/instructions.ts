/** WebAssembly's instructions by their names in the text format (WebAssembly Core Specification 3.0, §5.4 "Instructions"). */

export const OP = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  return: 0x0f,
  call: 0x10,
  returnCall: 0x12,
  returnCallIndirect: 0x13,
  drop: 0x1a,
  select: 0x1b,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  refFunc: 0xd2,
  i32Const: 0x41,
  i64Const: 0x42,
} as const;

/** Loads by the bits they read: to an i32, or an i64 for 64 bits; zero-extended. */
export const LOAD = { 8: 0x2d, 16: 0x2f, 32: 0x28, 64: 0x29 } as const;
export const STORE = { 8: 0x3a, 16: 0x3b, 32: 0x36, 64: 0x37 } as const;

/** The second byte of atomics, after FE (threads proposal, "Atomic Memory Instructions"); i32 for less than 64 bits. */
export const ATOMIC_LOAD = { 8: 0x12, 16: 0x13, 32: 0x10, 64: 0x11 } as const;
export const ATOMIC_STORE = { 8: 0x19, 16: 0x1a, 32: 0x17, 64: 0x18 } as const;
export const ATOMIC_COMPARE_EXCHANGE = { 8: 0x4a, 16: 0x4b, 32: 0x48, 64: 0x49 } as const;

interface Arithmetic {
  readonly eqz: number;
  readonly eq: number;
  readonly ne: number;
  readonly ltS: number;
  readonly ltU: number;
  readonly leS: number;
  readonly leU: number;
  readonly clz: number;
  readonly ctz: number;
  readonly popcnt: number;
  readonly add: number;
  readonly sub: number;
  readonly mul: number;
  readonly divU: number;
  readonly remU: number;
  readonly and: number;
  readonly or: number;
  readonly xor: number;
  readonly shl: number;
  readonly shrS: number;
  readonly shrU: number;
  readonly rotl: number;
  readonly rotr: number;
}

export const I32: Arithmetic = {
  ...{ eqz: 0x45, eq: 0x46, ne: 0x47, ltS: 0x48, ltU: 0x49, leS: 0x4c, leU: 0x4d },
  ...{
    clz: 0x67,
    ctz: 0x68,
    popcnt: 0x69,
    add: 0x6a,
    sub: 0x6b,
    mul: 0x6c,
    divU: 0x6e,
    remU: 0x70,
    and: 0x71,
    or: 0x72,
    xor: 0x73,
  },
  ...{ shl: 0x74, shrS: 0x75, shrU: 0x76, rotl: 0x77, rotr: 0x78 },
};

export const I64: Arithmetic = {
  ...{ eqz: 0x50, eq: 0x51, ne: 0x52, ltS: 0x53, ltU: 0x54, leS: 0x57, leU: 0x58 },
  ...{
    clz: 0x79,
    ctz: 0x7a,
    popcnt: 0x7b,
    add: 0x7c,
    sub: 0x7d,
    mul: 0x7e,
    divU: 0x80,
    remU: 0x82,
    and: 0x83,
    or: 0x84,
    xor: 0x85,
  },
  ...{ shl: 0x86, shrS: 0x87, shrU: 0x88, rotl: 0x89, rotr: 0x8a },
};

export const CONVERT = {
  i32WrapI64: 0xa7,
  i64ExtendI32S: 0xac,
  i64ExtendI32U: 0xad,
  i32Extend8S: 0xc0,
  i32Extend16S: 0xc1,
} as const;
