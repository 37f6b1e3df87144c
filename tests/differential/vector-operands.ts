/** Contents of vector registers: numbers where something happens, and anything. */
import type { Random } from './random.ts';

export type Style = 'f32' | 'f64' | 'integer';

interface FloatFormat {
  readonly bits: number;
  readonly fractionBits: number;
  readonly bias: number;
}

const F32: FloatFormat = { bits: 32, fractionBits: 23, bias: 127 };
const F64: FloatFormat = { bits: 64, fractionBits: 52, bias: 1023 };

/** Numbers of one case that go together: exponents around one, so that sums and products meet limits. */
export class VectorOperands {
  readonly #random: Random;
  /** From -1 to 1: what part of the bias the exponents are around; all the same when undefined. */
  readonly #center: number | undefined;
  readonly #spread: number;

  constructor(random: Random) {
    this.#random = random;
    this.#center = random.chance(4) ? undefined : random.pick([0, 0, 0, -1, -0.5, 0.5, 1, 0.06]);
    this.#spread = random.pick([1, 3, 12, 40]);
  }

  /** 128 bits. */
  vector(style: Style): bigint {
    if (style === 'integer') return this.#lanes(() => this.#integer(), 64);
    const format = style === 'f32' ? F32 : F64;
    return this.#lanes(() => this.#float(format), format.bits);
  }

  #lanes(make: () => bigint, bits: number): bigint {
    let vector = 0n;
    for (let at = 0; at < 128; at += bits) vector |= make() << BigInt(at);
    return vector;
  }

  #integer(): bigint {
    const random = this.#random;
    if (random.chance(2)) return random.operand();
    const bits = random.pick([8, 16, 32]);
    const mask = (1n << BigInt(bits)) - 1n;
    const edges = [0n, 1n, mask, mask >> 1n, (mask >> 1n) + 1n, random.next() & mask];
    let value = 0n;
    for (let at = 0; at < 64; at += bits) value |= random.pick(edges) << BigInt(at);
    return value;
  }

  #float({ bits, fractionBits, bias }: FloatFormat): bigint {
    const random = this.#random;
    const sign = BigInt(random.below(2)) << BigInt(bits - 1);
    return sign | (BigInt(this.#exponent(bias)) << BigInt(fractionBits)) | this.#fraction(fractionBits);
  }

  #exponent(bias: number): number {
    const random = this.#random;
    const most = 2 * bias + 1;
    switch (random.below(12)) {
      case 0:
        return 0; // a zero or a denormal
      case 1:
        return most; // infinity or a NaN
      case 2:
        return random.pick([1, most - 1, bias, bias + 31, bias + 63, bias + 23, bias - 1]);
      default: {
        if (this.#center === undefined) return random.below(most + 1);
        const distance = random.below(2 * this.#spread + 1) - this.#spread;
        return Math.min(Math.max(Math.round(bias + this.#center * bias) + distance, 0), most);
      }
    }
  }

  #fraction(bits: number): bigint {
    const random = this.#random;
    const mask = (1n << BigInt(bits)) - 1n;
    switch (random.below(7)) {
      case 0:
      case 1:
        return 0n;
      case 2:
        return mask - BigInt(random.below(2));
      case 3:
        return 1n << BigInt(random.below(bits));
      case 4:
        return (mask << BigInt(random.below(bits))) & mask;
      default:
        return random.next() & mask;
    }
  }
}
