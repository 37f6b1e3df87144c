/** Random bytes from a seed that are instructions more often than not: some begin with prefixes or an opcode map's escape. */

const FIRST_BYTES = [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x64, 0x48, 0x41, 0x4f, 0xc4, 0xc5];
const ESCAPES: readonly (readonly number[])[] = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
const LENGTH_BYTES = 20;

/** A linear congruential generator modulo 2^32, whose upper bits are used: numbers from 0 to below a limit. */
export function generator(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * limit);
  };
}

/** `count` pieces of code, each longer than an instruction can be. */
export function* randomCode(seed: number, count: number): Generator<Uint8Array> {
  const below = generator(seed);
  for (let made = 0; made < count; made++) {
    const code = Uint8Array.from({ length: LENGTH_BYTES }, () => below(256));
    const prefixes = Array.from({ length: below(4) }, () => FIRST_BYTES[below(FIRST_BYTES.length)]!);
    code.set([...prefixes, ...ESCAPES[below(ESCAPES.length)]!]);
    yield code;
  }
}
