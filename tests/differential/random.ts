/** Numbers from a seed, the same everywhere (xorshift64*, Vigna 2016), and operands with a liking for edges. */

const MULTIPLIER = 0x2545f4914f6cdd1dn;
const MASK = 0xffff_ffff_ffff_ffffn;

export class Random {
  #state: bigint;

  constructor(seed: bigint) {
    this.#state = BigInt.asUintN(64, seed * 0x9e3779b97f4a7c15n + 1n) || 1n;
  }

  /** 64 bits. */
  next(): bigint {
    let x = this.#state;
    x ^= x >> 12n;
    x ^= (x << 25n) & MASK;
    x ^= x >> 27n;
    this.#state = x;
    return (x * MULTIPLIER) & MASK;
  }

  /** 0 to limit - 1. */
  below(limit: number): number {
    return Number((this.next() >> 11n) % BigInt(limit));
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** An operand of 64 bits: half of them near a power of two, or few bits, where carries and signs change. */
  operand(): bigint {
    switch (this.below(6)) {
      case 0:
        return BigInt.asUintN(64, BigInt(this.below(5)) - 2n);
      case 1:
        return BigInt.asUintN(64, (1n << BigInt(this.below(64))) + BigInt(this.below(3)) - 1n);
      case 2:
        return BigInt.asUintN(64, -(1n << BigInt(this.below(64))));
      default:
        return this.next();
    }
  }
}
