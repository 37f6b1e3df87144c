/** The end of every operation: rounds to a format (Intel SDM Vol. 1 §4.8.4 "Rounding", §4.9.1 "Floating-Point Exception Conditions"). */
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { type Format, LEADING_BIT } from './format.ts';
import { Expression, type FunctionCode, type Variable } from './function-code.ts';
import { EXCEPTION, MXCSR, ROUND } from './mxcsr.ts';
import { type Callee, define } from './soft-function.ts';

const MAX_SHIFT = 64n;
const i32 = (value: number): Expression => Expression.constant('i32', value);
const i64 = (value: bigint): Expression => Expression.constant('i64', value);

export interface Rounding {
  /** (state, value, count): shifted right, with a one at the bottom if a one was lost. */
  readonly jam: Callee;
  /** (state, sign, exponent, significand): see Unpacked; the lowest bit stands for all below it. */
  readonly round: Callee;
}

export function addRounding(module: ModuleBuilder, format: Format): Rounding {
  const jam = define(module, ['i64', 'i64'], 'i64', (f, value, count) => {
    f.when(count!.isZero(), () => f.result(value!));
    f.when(i64(MAX_SHIFT - 1n).ltU(count!), () => f.result(value!.ne(0).extend()));
    const lost = value!.shl(i64(MAX_SHIFT).sub(count!)).ne(0).extend();
    f.result(value!.shr(count!).or(lost));
  });
  const round = define(module, ['i64', 'i64', 'i64'], 'i64', (f, sign, exponent, significand) =>
    writeRound(f, format, jam, sign!, exponent!, significand!),
  );
  return { jam, round };
}

function writeRound(
  f: FunctionCode,
  format: Format,
  jam: Callee,
  sign: Variable,
  exponent: Variable,
  significand: Variable,
): void {
  const extraBits = BigInt(LEADING_BIT) - format.fractionBits;
  const extra = (1n << extraBits) - 1n;
  const half = 1n << (extraBits - 1n);
  const mode = f.let(f.field('mxcsr').shr(MXCSR.RC_SHIFT).and(3));
  const increment = f.let(incrementOf(mode, sign, extra, half));
  const isTiny = f.let(i32(0));
  f.when(exponent.leS(0), () => {
    // Tiny is what has no normal exponent when it is rounded as if exponents had no bound (§4.9.1.5 "Numeric Underflow Exception").
    isTiny.set(exponent.ltS(0).or(significand.add(increment).shr(63).isZero()));
    f.when(isTiny, () => returnTiny(f, format, sign, significand.and(extra)));
    significand.set(f.invoke(jam, significand, i64(1n).sub(exponent)));
    exponent.set(1);
    f.when(isTiny.and(significand.and(extra).ne(0)), () => f.note(EXCEPTION.UE));
  });
  const rounding = f.let(significand.and(extra));
  f.when(rounding.ne(0), () => f.note(EXCEPTION.PE));
  const rounded = f.let(significand.add(increment).shr(extraBits));
  f.when(mode.isZero().and(rounding.eq(half)), () => rounded.set(rounded.and(-2)));
  const carries = rounded.shr(format.fractionBits + 1n).ne(0);
  const overflows = i64(format.maxExponent - 1n).ltS(exponent.add(carries.extend()));
  const signed = sign.shl(format.bits - 1);
  f.when(overflows, () => {
    f.when(f.field('mxcsr').and(MXCSR.OM).ne(0), () => f.note(EXCEPTION.PE));
    f.note(EXCEPTION.OE);
    f.result(signed.or(i64(format.infinity).sub(increment.isZero().extend())));
  });
  f.result(signed.or(exponent.sub(1).shl(format.fractionBits).add(rounded)));
}

/** What is added before the bits beyond the format are cut off. */
function incrementOf(mode: Expression, sign: Expression, extra: bigint, half: bigint): Expression {
  const isUp = mode.eq(ROUND.up);
  const directed = mode.eq(ROUND.down).or(isUp).extend();
  const away = sign.xor(isUp.extend()).and(directed);
  return i64(half).orElse(mode.isZero(), away.mul(extra));
}

/** When it is not a denormal that comes of it. */
function returnTiny(f: FunctionCode, format: Format, sign: Expression, rounding: Expression): void {
  const { UE, PE } = EXCEPTION;
  f.when(f.field('mxcsr').and(MXCSR.UM).isZero(), () => {
    f.note(i32(UE | PE).orElse(rounding.ne(0), UE));
    f.result(i64(0n));
  });
  // §10.2.3.3 "Flush-To-Zero"
  f.when(f.field('mxcsr').and(MXCSR.FTZ), () => {
    f.note(UE | PE);
    f.result(sign.shl(format.bits - 1));
  });
}
