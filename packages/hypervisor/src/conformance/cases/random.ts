/** Reproducible numbers: the same seed, the same words. */

/** xorshift64*, which passes through every word but 0. */
export function randomWords(seed: number, count: number): bigint[] {
  let state = BigInt(seed) * 0x9e3779b97f4a7c15n || 1n;
  return Array.from({ length: count }, () => {
    state ^= state >> 12n;
    state = BigInt.asUintN(64, state ^ (state << 25n));
    state ^= state >> 27n;
    return BigInt.asUintN(64, state * 0x2545f4914f6cdd1dn);
  });
}
