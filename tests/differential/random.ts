/** Numbers from a seed, the same everywhere (sfc32 of PractRand), and operands with a liking for edges. */

/** Where operands of each size change sign and overflow, by themselves and sign-extended. */
const BOUNDARIES = [8n, 16n, 32n, 64n].flatMap((bits) => [
  1n << (bits - 1n),
  -(1n << (bits - 1n)),
  1n << bits,
]);

export class Random {
  /** The state: three words and a counter. */
  #a: number;
  #b: number;
  #c = 0;
  #counter = 1;
  readonly #words = new Uint32Array(2);
  readonly #word = new BigUint64Array(this.#words.buffer);

  constructor(seed: bigint) {
    this.#a = Number(seed & 0xffff_ffffn);
    this.#b = Number((seed >> 32n) & 0xffff_ffffn);
    for (let round = 0; round < 12; round++) this.word();
  }

  /** 32 bits. */
  word(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** 64 bits. */
  next(): bigint {
    this.#words[0] = this.word();
    this.#words[1] = this.word();
    return this.#word[0]!;
  }

  /** 0 to limit - 1. */
  below(limit: number): number {
    return this.word() % limit;
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  bytes(lengthBytes: number): Uint8Array {
    const bytes = new Uint8Array(lengthBytes);
    for (let at = 0; at < lengthBytes; at++) bytes[at] = this.word();
    return bytes;
  }

  /** An operand of 64 bits: half of them near a power of two, or few bits, where carries and signs change. */
  operand(): bigint {
    switch (this.below(8)) {
      case 0:
        return BigInt.asUintN(64, BigInt(this.below(5) - 2));
      case 1:
        return BigInt.asUintN(64, (1n << BigInt(this.below(64))) + BigInt(this.below(3) - 1));
      case 2:
        return BigInt.asUintN(64, -(1n << BigInt(this.below(64))));
      case 3:
        return BigInt.asUintN(64, this.pick(BOUNDARIES) + BigInt(this.below(3) - 1));
      default:
        return this.next();
    }
  }
}
