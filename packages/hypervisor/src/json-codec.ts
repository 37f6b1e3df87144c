/**
 * Small codecs from typed values to JSON and back. Decoding trusts nothing: each codec accepts exactly what its
 * encoder writes, and says where in the document something else was found.
 */

/** What `JSON.parse` may return. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface Codec<T> {
  encode(value: T): Json;
  /** @throws StateFormatError that names `path` */
  decode(json: unknown, path: string): T;
}

/** A saved state that is not one of ours, is damaged, or is of a version that this build does not read. */
export class StateFormatError extends Error {
  readonly code: 'STATE_INVALID' | 'STATE_VERSION_UNKNOWN';

  constructor(message: string, code: StateFormatError['code'] = 'STATE_INVALID') {
    super(message);
    this.name = 'StateFormatError';
    this.code = code;
  }
}

/** Hostile text is not worth repeating in full. */
const SHOWN_CHARACTERS = 40;

export function refuse(path: string, expected: string, found: unknown): never {
  throw new StateFormatError(`${path}: expected ${expected}, found ${describe(found)}`);
}

function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

export const boolean: Codec<boolean> = {
  encode: (value) => value,
  decode: (json, path) => (typeof json === 'boolean' ? json : refuse(path, 'true or false', json)),
};

/** An unsigned integer of up to 32 bits, as a number. */
export function unsigned(bits: number): Codec<number> {
  const limit = 2 ** bits;
  return {
    encode: (value) => value,
    decode(json, path) {
      // `>= 0` lets -0 pass, which no encoder writes and which is not equal to 0 everywhere.
      if (typeof json === 'number' && Number.isInteger(json) && json >= 0 && json < limit) return json + 0;
      return refuse(path, `an integer below 2^${bits}`, json);
    },
  };
}

const HEX = /^0x(?:0|[1-9a-f][0-9a-f]*)$/;
const HEX_64_CHARACTERS = 18;

/** An unsigned 64-bit value, as a hexadecimal string: JSON's numbers are not exact beyond 2^53. */
export const u64: Codec<bigint> = {
  encode: (value) => `0x${value.toString(16)}`,
  decode(json, path) {
    if (typeof json === 'string' && json.length <= HEX_64_CHARACTERS && HEX.test(json)) return BigInt(json);
    return refuse(path, 'a 64-bit value such as "0x1f"', json);
  },
};

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Bytes, as base64. */
export function bytes(minimum: number, maximum: number): Codec<Uint8Array> {
  const expected = minimum === maximum ? `${minimum} bytes` : `${minimum} to ${maximum} bytes`;
  const longest = Math.ceil(maximum / 3) * 4;
  return {
    encode: toBase64,
    decode(json, path) {
      if (typeof json !== 'string' || json.length > longest || !BASE64.test(json))
        return refuse(path, `${expected} in base64`, json);
      const value = Uint8Array.from(atob(json), (character) => character.charCodeAt(0));
      return value.length >= minimum && value.length <= maximum
        ? value
        : refuse(path, expected, `${value.length} bytes`);
    },
  };
}

/** With what every JavaScript engine has; `Uint8Array.prototype.toBase64` is too new. */
function toBase64(value: Uint8Array): string {
  return btoa(Array.from(value, (byte) => String.fromCharCode(byte)).join(''));
}

export function oneOf<const Values extends readonly (string | number)[]>(
  values: Values,
): Codec<Values[number]> {
  return {
    encode: (value) => value,
    decode: (json, path) =>
      values.find((value) => value === json) ?? refuse(path, `one of ${values.join(', ')}`, json),
  };
}

export function nullable<T>(inner: Codec<T>): Codec<T | null> {
  return {
    encode: (value) => (value === null ? null : inner.encode(value)),
    decode: (json, path) => (json === null ? null : inner.decode(json, path)),
  };
}

export function array<T>(inner: Codec<T>, minimum: number, maximum: number): Codec<T[]> {
  const expected = minimum === maximum ? `an array of ${minimum}` : `an array of ${minimum} to ${maximum}`;
  return {
    encode: (values) => values.map((value) => inner.encode(value)),
    decode(json, path) {
      if (!Array.isArray(json) || json.length < minimum || json.length > maximum)
        return refuse(path, expected, json);
      return json.map((item, i) => inner.decode(item, `${path}[${i}]`));
    },
  };
}

type Fields<T> = { readonly [K in keyof T]: Codec<T[K]> };

/** Exactly these keys, no others and none missing. */
export function object<T extends object>(fields: Fields<T>): Codec<T> {
  const entries = Object.entries(fields) as [keyof T & string, Codec<T[keyof T]>][];
  return {
    encode: (value) => Object.fromEntries(entries.map(([key, codec]) => [key, codec.encode(value[key])])),
    decode(json, path) {
      if (typeof json !== 'object' || json === null || Array.isArray(json))
        return refuse(path, 'an object', json);
      const stranger = Object.keys(json).find((key) => !Object.hasOwn(fields, key));
      if (stranger !== undefined) return refuse(path, 'known properties only', stranger);
      const source = json as Record<string, unknown>;
      const decoded = entries.map(
        ([key, codec]) => [key, codec.decode(source[key], `${path}.${key}`)] as const,
      );
      return Object.fromEntries(decoded) as T;
    },
  };
}

/** The same fields for each of these keys. */
export function record<K extends string, T>(keys: readonly K[], inner: Codec<T>): Fields<Record<K, T>> {
  return Object.fromEntries(keys.map((key) => [key, inner])) as Record<K, Codec<T>>;
}
