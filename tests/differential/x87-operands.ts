/** Numbers of 80 bits, and what is in memory: values where something happens, and anything. */
import type { Random } from './random.ts';
import { VectorOperands } from './vector-operands.ts';

const INTEGER_BIT = 1n << 63n;
const QUIET_BIT = 1n << 62n;
const BIAS = 0x3fff;
const MAX_EXPONENT = 0x7fff;

export interface Number80 {
  readonly signExponent: number;
  readonly significand: bigint;
}

/** Numbers of one case go together: their exponents are around the same one. */
export class X87Operands {
  readonly #random: Random;
  readonly #floats: VectorOperands;
  readonly #center: number;
  readonly #spread: number;

  constructor(random: Random) {
    this.#random = random;
    this.#floats = new VectorOperands(random);
    this.#center = random.pick([BIAS, BIAS, BIAS, BIAS, BIAS + 31, BIAS + 63, 60, MAX_EXPONENT - 60]);
    this.#spread = random.pick([1, 4, 20, 70]);
  }

  number(): Number80 {
    const random = this.#random;
    const sign = random.below(2) << 15;
    const significand = this.#significand();
    const special = (exponent: number, bits: bigint) => ({
      signExponent: sign | exponent,
      significand: bits,
    });
    switch (random.below(20)) {
      case 0:
        return special(0, 0n);
      case 1: // a denormal or a pseudo-denormal
        return special(0, random.chance(2) ? significand : significand & ~INTEGER_BIT);
      case 2: // an unnormal
        return special(this.#exponent(), significand & ~INTEGER_BIT);
      case 3:
        return special(MAX_EXPONENT, INTEGER_BIT);
      case 4: // a NaN, or a pseudo-NaN
        return special(MAX_EXPONENT, random.chance(8) ? significand & ~INTEGER_BIT : significand);
      case 5:
        return special(MAX_EXPONENT, INTEGER_BIT | (random.chance(2) ? QUIET_BIT : 1n));
      case 6:
        return special(BIAS + random.below(3) - 1, INTEGER_BIT);
      case 7:
        return special(1 + random.below(MAX_EXPONENT - 1), significand);
      default:
        return special(this.#exponent(), significand);
    }
  }

  /** Of 32 or 64 bits, as memory has it. */
  float(bits: 32 | 64): bigint {
    return BigInt.asUintN(bits, this.#floats.vector(bits === 32 ? 'f32' : 'f64'));
  }

  /** Eighteen digits and a sign; sometimes digits that are none. */
  decimal(): bigint {
    const random = this.#random;
    if (random.chance(16)) return random.next() | (random.next() << 64n);
    let digits = 0n;
    for (let place = 0; place < 18; place++) digits = (digits << 4n) | BigInt(random.below(10));
    return digits | (BigInt(random.below(2)) << 79n);
  }

  #exponent(): number {
    const distance = this.#random.below(2 * this.#spread + 1) - this.#spread;
    return Math.min(Math.max(this.#center + distance, 1), MAX_EXPONENT - 1);
  }

  /** With its integer bit, mostly few bits or many in a row, so that results are exact, or are just not. */
  #significand(): bigint {
    const random = this.#random;
    const any = random.next();
    const shift = BigInt(random.below(64));
    switch (random.below(5)) {
      case 0:
        return INTEGER_BIT;
      case 1:
        return INTEGER_BIT | (1n << shift);
      case 2:
        return INTEGER_BIT | BigInt.asUintN(64, -1n << shift);
      case 3:
        return INTEGER_BIT | BigInt.asUintN(64, any << shift);
      default:
        return INTEGER_BIT | any;
    }
  }
}
