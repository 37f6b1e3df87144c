/** Conversions between formats and to and from integers, and rounding to an integer, in software. */
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { FLOAT_CONVERT } from './float-instructions.ts';
import { DOUBLE, type Format, SINGLE } from './format.ts';
import { Expression, type FunctionCode, type Variable } from './function-code.ts';
import { EXCEPTION, MXCSR, ROUND, SIMPLE_MASK, SIMPLE_VALUE } from './mxcsr.ts';
import type { Rounding } from './rounding.ts';
import { type Callee, define } from './soft-function.ts';

const i64 = (value: bigint): Expression => Expression.constant('i64', value);
/** How much longer a double's fraction is. */
const WIDER_BITS = DOUBLE.fractionBits - SINGLE.fractionBits;
const REBIAS = DOUBLE.bias - SINGLE.bias;
/** Bits of a rounding control in an immediate (Intel SDM Vol. 2B "ROUNDPD", Table 4-19 "Rounding Modes and Encoding of Rounding Control (RC) Field"). */
const USES_MXCSR = 4;
const SUPPRESSES_PRECISION = 8;

export function addNarrow(module: ModuleBuilder, { round }: Rounding): Callee {
  return define(module, ['i64'], 'i64', (f, operand) => {
    const a = operand!;
    const quick = f.let(a.reinterpret().convert('f32', FLOAT_CONVERT.f32DemoteF64).reinterpret().extend());
    const beyondLeast = SINGLE.leastNormal + 1n;
    const isPlain = quick
      .and(SINGLE.magnitude)
      .sub(beyondLeast)
      .ltU(SINGLE.infinity - beyondLeast);
    // As in fast-paths.ts.
    f.when(f.field('mxcsr').and(SIMPLE_MASK).eq(SIMPLE_VALUE).and(isPlain), () => f.result(quick));
    const sign = f.let(DOUBLE.sign(a).shl(31));
    f.when(DOUBLE.isNan(a), () => {
      f.when(DOUBLE.isSignaling(a), () => f.note(EXCEPTION.IE));
      const payload = a.and(DOUBLE.leastNormal - 1n).shr(WIDER_BITS);
      f.result(sign.or(payload).or(SINGLE.infinity | SINGLE.quietBit));
    });
    DOUBLE.applyDaz(f, a);
    DOUBLE.noteDenormals(f, a);
    f.when(DOUBLE.isInfinite(a), () => f.result(sign.or(SINGLE.infinity)));
    f.when(DOUBLE.isZero(a), () => f.result(sign));
    const { exponent, significand } = DOUBLE.unpack(f, a);
    f.result(f.invoke(round, sign.shr(31), exponent.sub(REBIAS), significand));
  });
}

export function addWiden(module: ModuleBuilder): Callee {
  return define(module, ['i64'], 'i64', (f, operand) => {
    const a = operand!;
    f.when(SINGLE.isNan(a), () => {
      f.when(SINGLE.isSignaling(a), () => f.note(EXCEPTION.IE));
      const payload = a.and(SINGLE.leastNormal - 1n).shl(WIDER_BITS);
      const sign = SINGLE.sign(a).shl(63);
      f.result(sign.or(payload).or(DOUBLE.infinity | DOUBLE.quietBit));
    });
    SINGLE.applyDaz(f, a);
    SINGLE.noteDenormals(f, a);
    f.result(promote(a).reinterpret());
  });
}

const promote = (a: Expression): Expression =>
  a.wrap().reinterpret().convert('f64', FLOAT_CONVERT.f64PromoteF32);

/** A finite number of either format as an f64, which is exact. */
const asDouble = (format: Format, a: Expression): Expression =>
  format.bits === 32 ? promote(a) : a.reinterpret();

/** From an integer of 64 bits. */
export function addFromInteger(module: ModuleBuilder, format: Format, { round }: Rounding): Callee {
  return define(module, ['i64'], 'i64', (f, a) => {
    f.when(isExactInteger(format, a!), () => f.result(fromExactInteger(format, a!)));
    const sign = f.let(a!.shr(63));
    const size = f.let(i64(0n).sub(a!).orElse(sign.wrap(), a!));
    // The one whose leading one is above that of an unpacked significand is 2^63.
    f.when(size.shr(63).wrap(), () => f.result(f.invoke(round, sign, i64(format.bias + 63n), size.shr(1))));
    const shift = f.let(size.clz().sub(1));
    f.result(f.invoke(round, sign, i64(format.bias + 62n).sub(shift), size.shl(shift)));
  });
}

/** Not longer than a significand; 0 is one. */
function isExactInteger({ leastNormal }: Format, a: Expression): Expression {
  return a.add(leastNormal * 2n).leU(leastNormal * 4n);
}

function fromExactInteger({ bits }: Format, a: Expression): Expression {
  if (bits === 64) return a.convert('f64', FLOAT_CONVERT.f64ConvertI64S).reinterpret();
  return a.convert('f32', FLOAT_CONVERT.f32ConvertI64S).reinterpret().extend();
}

/** In the rounding mode, an f64 rounded to an integer. */
function roundDouble(f: FunctionCode, x: Expression, mode: Variable): Variable {
  const rounded = f.let(x.float('nearest'));
  f.when(mode.eq(ROUND.down), () => rounded.set(x.float('floor')));
  f.when(mode.eq(ROUND.up), () => rounded.set(x.float('ceil')));
  f.when(mode.eq(ROUND.truncate), () => rounded.set(x.float('trunc')));
  return rounded;
}

/** 2^63, and 2^31, as doubles. */
const LIMIT = { 32: 0x41e0_0000_0000_0000n, 64: 0x43e0_0000_0000_0000n } as const;

/** What has no place in the integer is its lowest value (§4.9.1.1 "Invalid Operation Exception"). */
export function addToInteger(
  module: ModuleBuilder,
  format: Format,
  bits: 32 | 64,
  truncates: boolean,
): Callee {
  return define(module, ['i64'], 'i64', (f, operand) => {
    const a = operand!;
    const returnInvalid = () => {
      f.note(EXCEPTION.IE);
      f.result(i64(bits === 32 ? 0x8000_0000n : -(1n << 63n)));
    };
    f.when(format.isNan(a), returnInvalid);
    format.applyDaz(f, a);
    const x = f.let(asDouble(format, a));
    const mode = truncates
      ? f.let(Expression.constant('i32', ROUND.truncate))
      : f.let(f.field('mxcsr').shr(MXCSR.RC_SHIFT).and(3));
    const rounded = roundDouble(f, x, mode);
    const limit = i64(LIMIT[bits]).reinterpret();
    const least = i64(LIMIT[bits] | DOUBLE.signBit).reinterpret();
    f.when(least.float('le', rounded).and(rounded.float('lt', limit)).isZero(), returnInvalid);
    f.when(rounded.float('ne', x), () => f.note(EXCEPTION.PE));
    const integer = rounded.convert('i64', FLOAT_CONVERT.i64TruncF64S);
    f.result(bits === 32 ? integer.and(0xffff_ffffn) : integer);
  });
}

/** (state, number, control). */
export function addRoundToInteger(module: ModuleBuilder, format: Format): Callee {
  return define(module, ['i64', 'i64'], 'i64', (f, operand, control) => {
    const a = operand!;
    format.returnNan(f, a);
    format.applyDaz(f, a);
    const chosen = control!.wrap().and(3);
    const current = f.field('mxcsr').shr(MXCSR.RC_SHIFT).and(3);
    const mode = f.let(current.orElse(control!.wrap().and(USES_MXCSR), chosen));
    const x = f.let(asDouble(format, a));
    const rounded = roundDouble(f, x, mode);
    const isInexact = rounded.float('ne', x).and(control!.and(SUPPRESSES_PRECISION).isZero());
    f.when(isInexact, () => f.note(EXCEPTION.PE));
    const narrow = () => rounded.convert('f32', FLOAT_CONVERT.f32DemoteF64).reinterpret().extend();
    f.result(format.bits === 32 ? narrow() : rounded.reinterpret());
  });
}
