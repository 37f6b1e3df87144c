/** The two formats, and expressions on numbers in them: bits in an i64 (Intel SDM Vol. 1 §4.2.2 "Floating-Point Data Types"). */
import { Expression, type FunctionCode, type Variable } from './function-code.ts';
import { EXCEPTION, MXCSR } from './mxcsr.ts';

/** Where unpacked significands have their leading one: the bits below those of the format are for rounding. */
export const LEADING_BIT = 62;

const constant = (value: bigint): Expression => Expression.constant('i64', value);

/** A finite number that is not 0: (-1)^sign · significand/2^62 · 2^(exponent - bias). */
export interface Unpacked {
  readonly sign: Expression;
  readonly exponent: Variable;
  readonly significand: Variable;
}

export class Format {
  readonly bits: 32 | 64;
  readonly fractionBits: bigint;
  readonly bias: bigint;
  /** The exponent of infinities and NaNs. */
  readonly maxExponent: bigint;
  readonly signBit: bigint;
  readonly magnitude: bigint;
  readonly infinity: bigint;
  readonly quietBit: bigint;
  readonly leastNormal: bigint;

  constructor(bits: 32 | 64) {
    this.bits = bits;
    this.fractionBits = bits === 32 ? 23n : 52n;
    this.bias = bits === 32 ? 127n : 1023n;
    this.maxExponent = this.bias * 2n + 1n;
    this.signBit = 1n << BigInt(bits - 1);
    this.magnitude = this.signBit - 1n;
    this.infinity = this.maxExponent << this.fractionBits;
    this.quietBit = 1n << (this.fractionBits - 1n);
    this.leastNormal = 1n << this.fractionBits;
  }

  /** Negative, quiet, and nothing else (§4.8.3.7 "QNaN Floating-Point Indefinite"). */
  get defaultNan(): bigint {
    return this.signBit | this.infinity | this.quietBit;
  }

  sign(a: Expression): Expression {
    return a.shr(this.bits - 1).and(1);
  }

  isNan(a: Expression): Expression {
    return constant(this.infinity).ltU(a.and(this.magnitude));
  }

  isSignaling(a: Expression): Expression {
    return this.isNan(a).and(a.and(this.quietBit).isZero());
  }

  isInfinite(a: Expression): Expression {
    return a.and(this.magnitude).eq(this.infinity);
  }

  isZero(a: Expression): Expression {
    return a.and(this.magnitude).isZero();
  }

  isDenormal(a: Expression): Expression {
    return a
      .and(this.magnitude)
      .sub(1)
      .ltU(this.leastNormal - 1n);
  }

  /** Denormal operands are zeros of their sign if MXCSR says so (§10.2.3.4 "Denormals-Are-Zeros"). */
  applyDaz(f: FunctionCode, ...operands: readonly Variable[]): void {
    f.when(f.field('mxcsr').and(MXCSR.DAZ), () => {
      for (const a of operands) a.set(a.orElse(this.isDenormal(a).isZero(), a.and(this.signBit)));
    });
  }

  noteDenormals(f: FunctionCode, a: Expression, b?: Expression): void {
    const any = b ? this.isDenormal(a).or(this.isDenormal(b)) : this.isDenormal(a);
    f.when(any, () => f.note(EXCEPTION.DE));
  }

  /** Returns a NaN if there is one: the first operand's before the second's (§4.8.3.5, Table 4-7 "Rules for Handling NaNs"). */
  returnNan(f: FunctionCode, a: Expression, b?: Expression): void {
    f.when(b ? this.isNan(a).or(this.isNan(b)) : this.isNan(a), () => {
      f.when(b ? this.isSignaling(a).or(this.isSignaling(b)) : this.isSignaling(a), () =>
        f.note(EXCEPTION.IE),
      );
      f.result((b ? a.orElse(this.isNan(a), b) : a).or(this.quietBit));
    });
  }

  returnInvalid(f: FunctionCode): void {
    f.note(EXCEPTION.IE);
    f.result(constant(this.defaultNan));
  }

  unpack(f: FunctionCode, a: Expression): Unpacked {
    const exponent = f.let(a.shr(this.fractionBits).and(this.maxExponent));
    const significand = f.let(a.and(this.leastNormal - 1n).shl(BigInt(LEADING_BIT) - this.fractionBits));
    f.when(
      exponent.isZero(),
      () => {
        const shift = f.let(significand.clz().sub(1));
        significand.set(significand.shl(shift));
        exponent.set(constant(1n).sub(shift));
      },
      () => significand.set(significand.or(1n << BigInt(LEADING_BIT))),
    );
    return { sign: this.sign(a), exponent, significand };
  }
}

export const SINGLE = new Format(32);
export const DOUBLE = new Format(64);
