/** Arithmetic that WebAssembly has no instructions for, as functions for all handlers to call. */
import { Code, type ValueType } from '../wasm/code.ts';
import { CONVERT, I32, I64 } from '../wasm/instructions.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';

/** Indices of functions. */
export interface ArithmeticFunctions {
  /** (a, b) → the upper 64 bits of the product. */
  readonly multiplyHighUnsigned: number;
  readonly multiplyHighSigned: number;
  /** (high, low, divisor) → quotient, remainder; `high` must be less than `divisor`. */
  readonly divideWide: number;
  /** (a, mask) → the lowest bits of `a` where the mask has ones; and the other way round. */
  readonly scatter: number;
  readonly gather: number;
  /** (checksum, data, bits of data) → checksum. */
  readonly crc32c: number;
  /** () → 64 bits: the host's. */
  readonly random: number;
}

const HALF = 0xffff_ffffn;

export function addArithmeticFunctions(module: ModuleBuilder, random: number): ArithmeticFunctions {
  const multiplyHighUnsigned = module.add(highOfUnsigned());
  return {
    multiplyHighUnsigned,
    multiplyHighSigned: module.add(highOfSigned(multiplyHighUnsigned)),
    divideWide: module.add(divide()),
    scatter: module.add(spread('scatter')),
    gather: module.add(spread('gather')),
    crc32c: module.add(crc32c()),
    random,
  };
}

/** A function of 64-bit numbers. */
function wide(parameters: number, results: number): Code {
  const types = (count: number) => Array.from({ length: count }, (): ValueType => 'i64');
  return new Code({ parameters: types(parameters), results: types(results) });
}

/** By halves of 32 bits, as on paper. */
function highOfUnsigned(): Code {
  const code = wide(2, 1);
  const [a, b] = [0, 1];
  const low = (local: number) => code.get(local).i64(HALF).op(I64.and);
  const high = (local: number) => code.get(local).i64(32n).op(I64.shrU);
  const middle = code.local('i64');
  const other = code.local('i64');
  low(a);
  low(b).op(I64.mul).i64(32n).op(I64.shrU);
  high(a);
  low(b).op(I64.mul, I64.add).set(middle);
  low(a);
  high(b).op(I64.mul);
  low(middle).op(I64.add).set(other);
  high(a);
  high(b).op(I64.mul);
  high(middle).op(I64.add);
  return high(other).op(I64.add);
}

function highOfSigned(unsigned: number): Code {
  const code = wide(2, 1);
  const [a, b] = [0, 1];
  // Most factors fit into 32 bits, their product into 64.
  const fits = (local: number) => {
    code.get(local).get(local).op(CONVERT.i32WrapI64, CONVERT.i64ExtendI32S, I64.eq);
  };
  fits(a);
  fits(b);
  code.op(I32.and).if(() => code.get(a).get(b).op(I64.mul).i64(63n).op(I64.shrS).return());
  const ifNegative = (sign: number, local: number) =>
    code.get(sign).i64(63n).op(I64.shrS).get(local).op(I64.and, I64.sub);
  code.get(a).get(b).call(unsigned);
  ifNegative(a, b);
  return ifNegative(b, a);
}

/** Bit by bit, but when the upper half is 0, as it is for nearly every division that is made. */
function divide(): Code {
  const code = wide(3, 2);
  const [remainder, low, divisor] = [0, 1, 2];
  const rest = code.local('i32');
  const carry = code.local('i64');
  code.get(remainder).op(I64.eqz);
  code.if(() => {
    code.get(low).get(divisor).op(I64.divU).get(low).get(divisor).op(I64.remU).return();
  });
  code.i32(64).set(rest);
  code.loop(() => {
    // The remainder and the dividend's rest move left together; the quotient comes in where the rest was.
    code.get(remainder).i64(63n).op(I64.shrU).set(carry);
    code.get(remainder).i64(1n).op(I64.shl).get(low).i64(63n).op(I64.shrU, I64.or).set(remainder);
    code.get(low).i64(1n).op(I64.shl).set(low);
    code.get(carry).op(CONVERT.i32WrapI64).get(divisor).get(remainder).op(I64.leU, I32.or);
    code.if(() => {
      code.get(remainder).get(divisor).op(I64.sub).set(remainder);
      code.get(low).i64(1n).op(I64.or).set(low);
    });
    code.get(rest).i32(1).op(I32.sub).tee(rest).i32(0).op(I32.ne);
    code.if(() => code.branch(1));
  });
  return code.get(low).get(remainder);
}

/** Goes through the ones of the mask from the lowest on, and through the other side's bits one by one. */
function spread(way: 'scatter' | 'gather'): Code {
  const code = wide(2, 1);
  const [a, mask] = [0, 1];
  const lowest = code.local('i64');
  const bit = code.local('i64');
  const result = code.local('i64');
  const [taken, put] = way === 'scatter' ? [bit, lowest] : [lowest, bit];
  code.i64(1n).set(bit);
  code.loop(() => {
    code
      .get(mask)
      .op(I64.eqz)
      .if(() => code.get(result).return());
    code.get(mask).i64(0n).get(mask).op(I64.sub, I64.and).set(lowest);
    code.get(a).get(taken).op(I64.and).i64(0n).op(I64.ne);
    code.if(() => code.get(result).get(put).op(I64.or).set(result));
    code.get(mask).get(lowest).op(I64.xor).set(mask);
    code.get(bit).i64(1n).op(I64.shl).set(bit).branch(0);
  });
  return code.get(result);
}

/** 11EDC6F41H, its bits in the other order (Intel SDM Vol. 2A "CRC32—Accumulate CRC32 Value"). */
const POLYNOMIAL = 0x82f63b78n;

function crc32c(): Code {
  const code = new Code({ parameters: ['i32', 'i64', 'i32'], results: ['i32'] });
  const [checksum, data, rest] = [0, 1, 2];
  const value = code.local('i64');
  code.get(checksum).op(CONVERT.i64ExtendI32U).get(data).op(I64.xor).set(value);
  code.loop(() => {
    code.get(value).i64(1n).op(I64.shrU);
    code.i64(POLYNOMIAL).i64(0n).get(value).i64(1n).op(I64.and, I64.sub, I64.and, I64.xor).set(value);
    code.get(rest).i32(1).op(I32.sub).tee(rest).i32(0).op(I32.ne);
    code.if(() => code.branch(1));
  });
  return code.get(value).op(CONVERT.i32WrapI64);
}
