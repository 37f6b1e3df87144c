/** Comparisons, minimum and maximum in software. */
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { FLOAT_CONVERT } from './float-instructions.ts';
import type { Format } from './format.ts';
import { Expression, type FunctionCode } from './function-code.ts';
import { EXCEPTION } from './mxcsr.ts';
import { type Callee, define } from './soft-function.ts';

const i32 = (value: number): Expression => Expression.constant('i32', value);
const i64 = (value: bigint): Expression => Expression.constant('i64', value);

const asFloat = (format: Format, a: Expression): Expression =>
  format.bits === 32 ? a.wrap().reinterpret() : a.reinterpret();

/** The second operand if either is a NaN or both are zeros (Intel SDM Vol. 2B "MINPS—Minimum of Packed Single Precision Floating-Point Values"). */
export function addExtreme(module: ModuleBuilder, format: Format, which: 'min' | 'max'): Callee {
  return define(module, ['i64', 'i64'], 'i64', (f, a, b) => {
    format.applyDaz(f, a!, b!);
    f.when(format.isNan(a!).or(format.isNan(b!)), () => {
      f.note(EXCEPTION.IE);
      f.result(b!);
    });
    format.noteDenormals(f, a!, b!);
    const [x, y] = [asFloat(format, a!), asFloat(format, b!)];
    f.result(a!.orElse(which === 'min' ? x.float('lt', y) : y.float('lt', x), b!));
  });
}

/** Of the predicates, those that NaNs do not satisfy quietly: LT, LE, NLT, NLE. */
const SIGNALING_PREDICATES = 0b0110_0110;
/** And those that unordered numbers satisfy: UNORD, NEQ, NLT, NLE. */
const UNORDERED_PREDICATES = 0b0111_1000;

/** (state, a, b, predicate): all ones, or 0. */
export function addCompare(module: ModuleBuilder, format: Format): Callee {
  return define(module, ['i64', 'i64', 'i64'], 'i64', (f, a, b, predicateValue) => {
    const predicate = f.let(predicateValue!.wrap().and(7));
    const asMask = (holds: Expression) => i64(0n).sub(holds.extend());
    const isIn = (set: number) => i32(set).shr(predicate).and(1);
    format.applyDaz(f, a!, b!);
    f.when(format.isNan(a!).or(format.isNan(b!)), () => {
      noteNan(f, format, a!, b!, isIn(SIGNALING_PREDICATES));
      f.result(asMask(isIn(UNORDERED_PREDICATES)));
    });
    format.noteDenormals(f, a!, b!);
    const [x, y] = [asFloat(format, a!), asFloat(format, b!)];
    const base = predicate.and(3);
    const less = x.float('lt', y).and(base.eq(1).or(base.eq(2)));
    const equal = x.float('eq', y).and(base.eq(0).or(base.eq(2)));
    f.result(asMask(less.or(equal).xor(predicate.shr(2))));
  });
}

/** ZF, PF and CF of what is unordered, and of what is less and equal. */
const UNORDERED = 0x45n;
const CF = 0x01;
const ZF = 0x40;

export function addOrder(module: ModuleBuilder, format: Format, quiet: boolean): Callee {
  return define(module, ['i64', 'i64'], 'i64', (f, a, b) => {
    format.applyDaz(f, a!, b!);
    f.when(format.isNan(a!).or(format.isNan(b!)), () => {
      noteNan(f, format, a!, b!, i32(quiet ? 0 : 1));
      f.result(i64(UNORDERED));
    });
    format.noteDenormals(f, a!, b!);
    const [x, y] = [asFloat(format, a!), asFloat(format, b!)];
    f.result(x.float('lt', y).mul(CF).or(x.float('eq', y).mul(ZF)).extend());
  });
}

function noteNan(f: FunctionCode, format: Format, a: Expression, b: Expression, always: Expression): void {
  f.when(format.isSignaling(a).or(format.isSignaling(b)).or(always), () => f.note(EXCEPTION.IE));
}

/** An approximation's results that are too small are zeros, and operands that are too small, too. */
export type Approximation = 'reciprocal' | 'reciprocal-root';

/**
 * RCPSS and RSQRTSS, of single precision, without exceptions. They may be off by 1.5 · 2^-12 and differ between vendors;
 * these are computed with doubles and rounded once (Intel SDM Vol. 2B "RCPPS—Compute Reciprocals of Packed Single
 * Precision Floating-Point Values").
 */
export function addApproximation(module: ModuleBuilder, format: Format, which: Approximation): Callee {
  return define(module, ['i64'], 'i64', (f, operand) => {
    const a = operand!;
    f.when(format.isNan(a), () => f.result(a.or(format.quietBit)));
    const flushed = f.let(a.orElse(format.isDenormal(a).isZero(), a.and(format.signBit)));
    const x = flushed.wrap().reinterpret().convert('f64', FLOAT_CONVERT.f64PromoteF32);
    const one = i64(0x3ff0_0000_0000_0000n).reinterpret();
    if (which === 'reciprocal-root')
      f.when(format.sign(flushed).wrap().and(format.isZero(flushed).isZero()), () =>
        f.result(i64(format.defaultNan)),
      );
    const exact = one.float('div', which === 'reciprocal' ? x : x.float('sqrt'));
    const result = f.let(exact.convert('f32', FLOAT_CONVERT.f32DemoteF64).reinterpret().extend());
    f.result(result.orElse(format.isDenormal(result).isZero(), result.and(format.signBit)));
  });
}
