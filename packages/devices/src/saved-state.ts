/**
 * Reads what devices saved. A saved machine may come from a file or a peer that wrote anything: every field is
 * checked for its type and range before the device takes any of it.
 */

/** The saved state is not one that the device can have. */
export class SavedStateError extends Error {
  constructor(device: string, problem: string) {
    super(`saved state of ${device}: ${problem}`);
    this.name = 'SavedStateError';
  }
}

export class SavedStateReader {
  readonly #device: string;
  readonly #fields: Readonly<Record<string, unknown>>;

  /** @throws SavedStateError when `state` is no object, or of another version. */
  constructor(device: string, state: unknown, version: number) {
    this.#device = device;
    if (typeof state !== 'object' || state === null) throw this.error('is not an object');
    this.#fields = { ...state };
    const written = this.#fields['version'];
    if (written !== version) {
      // Anything may stand there; only a number is worth repeating.
      const what = typeof written === 'number' ? `version ${written}` : 'no version';
      throw this.error(`has ${what}, and only version ${version} is known`);
    }
  }

  error(problem: string): SavedStateError {
    return new SavedStateError(this.#device, problem);
  }

  /** An integer from 0 to `max`. */
  uint(name: string, max: number): number {
    return this.#checked(name, this.#fields[name], max);
  }

  /** An integer of either sign that a double holds exactly. */
  int(name: string): number {
    const value = this.#fields[name];
    if (!Number.isSafeInteger(value)) throw this.error(`${name} is not an integer`);
    return value as number;
  }

  bool(name: string): boolean {
    const value = this.#fields[name];
    if (typeof value !== 'boolean') throw this.error(`${name} is not a boolean`);
    return value;
  }

  /** Integers from 0 to `max`: exactly `length` of them, or up to `maxLength`. */
  uints(name: string, max: number, size: { length: number } | { maxLength: number }): number[] {
    const items = this.#fields[name];
    if (!Array.isArray(items)) throw this.error(`${name} is not an array`);
    const fits = 'length' in size ? items.length === size.length : items.length <= size.maxLength;
    if (!fits) throw this.error(`${name} has ${items.length} items`);
    return Array.from(items, (item: unknown) => this.#checked(name, item, max));
  }

  /** Unchecked: for what the other methods do not cover. */
  field(name: string): unknown {
    return this.#fields[name];
  }

  #checked(name: string, value: unknown, max: number): number {
    if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > max) {
      throw this.error(`${name} is not an integer from 0 to ${max}`);
    }
    return value as number;
  }
}
