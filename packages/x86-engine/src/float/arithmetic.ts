/** Sums, products, quotients and roots in software, exact to the flag. */
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import type { Format } from './format.ts';
import { Expression, type FunctionCode, type Variable } from './function-code.ts';
import { EXCEPTION, MXCSR, ROUND } from './mxcsr.ts';
import type { Rounding } from './rounding.ts';
import { type Callee, define } from './soft-function.ts';

const i64 = (value: bigint): Expression => Expression.constant('i64', value);
const LOW_HALF = 0xffff_ffffn;

export type ArithmeticOperation = 'add' | 'sub' | 'mul' | 'div';

export function addSum(
  module: ModuleBuilder,
  format: Format,
  rounding: Rounding,
  subtracts: boolean,
): Callee {
  return define(module, ['i64', 'i64'], 'i64', (f, first, second) => {
    const [a, b] = [first!, second!];
    format.returnNan(f, a, b);
    if (subtracts) b.set(b.xor(format.signBit));
    format.applyDaz(f, a, b);
    const differs = f.let(format.sign(a.xor(b)).wrap());
    f.when(format.isInfinite(a).and(format.isInfinite(b)).and(differs), () => format.returnInvalid(f));
    format.noteDenormals(f, a, b);
    f.when(format.isInfinite(a), () => f.result(a));
    f.when(format.isInfinite(b), () => f.result(b));
    f.when(a.and(format.magnitude).ltU(b.and(format.magnitude)), () => {
      const smaller = f.let(a);
      a.set(b);
      b.set(smaller);
    });
    writeSum(f, format, rounding, a, b, differs);
  });
}

/** Of finite numbers, the larger one first. */
function writeSum(
  f: FunctionCode,
  format: Format,
  { jam, round }: Rounding,
  a: Variable,
  b: Variable,
  differs: Expression,
): void {
  const part = (x: Expression) => {
    const exponent = f.let(x.shr(format.fractionBits).and(format.maxExponent));
    const isNormal = exponent.ne(0).extend();
    const significand = x.and(format.leastNormal - 1n).or(isNormal.shl(format.fractionBits));
    // One bit below the top of an unpacked one: the sum may be twice as large.
    const scaled = f.let(significand.shl(61n - format.fractionBits));
    exponent.set(exponent.add(exponent.isZero().extend()));
    return { exponent, scaled };
  };
  const larger = part(a);
  const smaller = part(b);
  const aligned = f.let(f.invoke(jam, smaller.scaled, larger.exponent.sub(smaller.exponent)));
  const sum = f.let(larger.scaled.sub(aligned).orElse(differs, larger.scaled.add(aligned)));
  f.when(sum.isZero(), () => {
    const isDown = f.field('mxcsr').shr(MXCSR.RC_SHIFT).and(3).eq(ROUND.down);
    // Of opposite zeros, or what cancels: negative only when rounding down.
    f.result(
      isDown
        .extend()
        .shl(format.bits - 1)
        .orElse(differs, a),
    );
  });
  const shift = f.let(sum.clz().sub(1));
  f.result(f.invoke(round, format.sign(a), larger.exponent.add(1).sub(shift), sum.shl(shift)));
}

export function addProduct(module: ModuleBuilder, format: Format, { round }: Rounding): Callee {
  const high = addHighProduct(module);
  return define(module, ['i64', 'i64'], 'i64', (f, first, second) => {
    const [a, b] = [first!, second!];
    format.returnNan(f, a, b);
    format.applyDaz(f, a, b);
    const isInfinite = f.let(format.isInfinite(a).or(format.isInfinite(b)));
    const isZero = f.let(format.isZero(a).or(format.isZero(b)));
    f.when(isInfinite.and(isZero), () => format.returnInvalid(f));
    format.noteDenormals(f, a, b);
    const sign = f.let(a.xor(b).and(format.signBit));
    f.when(isInfinite, () => f.result(sign.or(format.infinity)));
    f.when(isZero, () => f.result(sign));
    const x = format.unpack(f, a);
    const y = format.unpack(f, b);
    const product = f.let(f.invoke(high, x.significand, y.significand.shl(1)));
    const shift = f.let(product.clz().sub(1));
    const exponent = x.exponent
      .add(y.exponent)
      .sub(format.bias - 1n)
      .sub(shift);
    f.result(f.invoke(round, format.sign(sign), exponent, product.shl(shift)));
  });
}

/** The upper 64 bits of a product, with a one at the bottom if there is one below. */
function addHighProduct(module: ModuleBuilder): Callee {
  return define(module, ['i64', 'i64'], 'i64', (f, a, b) => {
    const [aLow, bLow, aHigh, bHigh] = [a!.and(LOW_HALF), b!.and(LOW_HALF), a!.shr(32), b!.shr(32)];
    const low = f.let(aLow.mul(bLow));
    const middle = f.let(aHigh.mul(bLow).add(low.shr(32)));
    const other = f.let(aLow.mul(bHigh).add(middle.and(LOW_HALF)));
    const lost = other.shl(32).or(low.and(LOW_HALF)).ne(0).extend();
    f.result(aHigh.mul(bHigh).add(middle.shr(32)).add(other.shr(32)).or(lost));
  });
}

export function addQuotient(module: ModuleBuilder, format: Format, { round }: Rounding): Callee {
  return define(module, ['i64', 'i64'], 'i64', (f, first, second) => {
    const [a, b] = [first!, second!];
    format.returnNan(f, a, b);
    format.applyDaz(f, a, b);
    const bothInfinite = format.isInfinite(a).and(format.isInfinite(b));
    f.when(bothInfinite.or(format.isZero(a).and(format.isZero(b))), () => format.returnInvalid(f));
    const sign = f.let(a.xor(b).and(format.signBit));
    f.when(format.isZero(b).and(format.isInfinite(a).isZero()), () => {
      f.note(EXCEPTION.ZE);
      f.result(sign.or(format.infinity));
    });
    format.noteDenormals(f, a, b);
    f.when(format.isInfinite(a), () => f.result(sign.or(format.infinity)));
    f.when(format.isInfinite(b).or(format.isZero(a)), () => f.result(sign));
    const x = format.unpack(f, a);
    const y = format.unpack(f, b);
    const quotient = divide(f, x.significand, y.significand);
    const shift = f.let(quotient.clz().sub(1));
    const exponent = x.exponent.sub(y.exponent).add(format.bias).sub(shift);
    f.result(f.invoke(round, format.sign(sign), exponent, quotient.shl(shift)));
  });
}

/** a/b · 2^62, bit by bit, with a one at the bottom for a remainder. */
function divide(f: FunctionCode, a: Variable, b: Variable): Variable {
  const quotient = f.let(i64(0n));
  const left = f.let(i64(63n));
  f.repeat(() => {
    quotient.set(quotient.shl(1));
    f.when(b.leU(a), () => {
      a.set(a.sub(b));
      quotient.set(quotient.or(1));
    });
    a.set(a.shl(1));
    left.set(left.sub(1));
    return left.ne(0);
  });
  quotient.set(quotient.or(a.ne(0).extend()));
  return quotient;
}

/** How many bits of a root are computed: two more than a double has, and what is left over says the rest. */
const ROOT_BITS = 56n;

export function addRoot(module: ModuleBuilder, format: Format, { round }: Rounding): Callee {
  return define(module, ['i64'], 'i64', (f, operand) => {
    const a = operand!;
    format.returnNan(f, a);
    format.applyDaz(f, a);
    f.when(format.isZero(a), () => f.result(a));
    f.when(a.and(format.signBit).ne(0), () => format.returnInvalid(f));
    format.noteDenormals(f, a);
    f.when(format.isInfinite(a), () => f.result(a));
    const { exponent, significand } = format.unpack(f, a);
    exponent.set(exponent.sub(format.bias));
    // An even exponent: the odd one's last power of two goes to the significand.
    significand.set(significand.shl(exponent.and(1)));
    const root = squareRoot(f, significand);
    const half = exponent.sar(1).add(format.bias);
    f.result(f.invoke(round, i64(0n), half, root));
  });
}

/** The root, with its leading one where an unpacked significand has it, of a significand in [1, 4) · 2^62. */
function squareRoot(f: FunctionCode, significand: Variable): Variable {
  const root = f.let(i64(0n));
  const remainder = f.let(i64(0n));
  const left = f.let(i64(ROOT_BITS));
  f.repeat(() => {
    remainder.set(remainder.shl(2).or(significand.shr(62)));
    significand.set(significand.shl(2));
    const trial = f.let(root.shl(2).or(1));
    root.set(root.shl(1));
    f.when(trial.leU(remainder), () => {
      remainder.set(remainder.sub(trial));
      root.set(root.or(1));
    });
    left.set(left.sub(1));
    return left.ne(0);
  });
  root.set(root.shl(63n - ROOT_BITS).or(remainder.ne(0).extend()));
  return root;
}
