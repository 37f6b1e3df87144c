/** Little-endian pieces of tables and of AML. */
export type Bytes = readonly number[];

export function u16(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff];
}

export function u32(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

/** From an integer of up to 53 bits, as addresses are. */
export function u64(value: number): number[] {
  return joined(u32(value % 2 ** 32), u32(Math.floor(value / 2 ** 32)));
}

export function ascii(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}

/**
 * One after the other. Tables are built once, in a start-up that is measured, by code that is still interpreted: there
 * `concat` is a hundred times as fast as a spread in an array literal.
 */
export function joined(...parts: Bytes[]): number[] {
  return ([] as number[]).concat(...parts);
}

/** Padded with zeros to an exact length. */
export function padded(bytes: Bytes, lengthBytes: number): number[] {
  if (bytes.length > lengthBytes) throw new RangeError(`${bytes.length} bytes do not fit in ${lengthBytes}`);
  return joined(bytes, new Array<number>(lengthBytes - bytes.length).fill(0));
}
