/** One model-specific register, and the kinds that there are (Intel SDM Vol. 2B "RDMSR", Vol. 2D "WRMSR"). */

export interface Msr {
  /** RDMSR; undefined is #GP(0). */
  read(): bigint | undefined;
  /** WRMSR; false is #GP(0), and nothing has changed. */
  write(value: bigint): boolean;
  /** Takes a saved value. It may be one that no WRMSR could have made of the present one, but none that there cannot be. */
  restore(value: bigint): boolean;
}

export type IsValid = (value: bigint) => boolean;

/** Keeps what is written. */
export function stored(initial: bigint, isValid: IsValid): Msr {
  let value = initial;
  const write = (written: bigint): boolean => {
    if (!isValid(written)) return false;
    value = written;
    return true;
  };
  return { read: () => value, write, restore: write };
}

/** Has one value for ever. */
export function constant(value: bigint): Msr {
  return { read: () => value, write: () => false, restore: (restored) => restored === value };
}

/**
 * There is none, but a state that was saved elsewhere may have it with the values that it has when its feature is not
 * used.
 */
export function absent(...unused: bigint[]): Msr {
  return { read: () => undefined, write: () => false, restore: (value) => unused.includes(value) };
}

/** Kept by somebody else, who takes every valid value. */
export function kept(read: () => bigint, take: (value: bigint) => void, isValid: IsValid): Msr {
  const write = (value: bigint): boolean => {
    if (!isValid(value)) return false;
    take(value);
    return true;
  };
  return { read, write, restore: write };
}

export const isAny: IsValid = () => true;
export const isWord: IsValid = (value) => value >> 32n === 0n;

/** No bits but these. */
export const hasOnly =
  (bits: bigint): IsValid =>
  (value) =>
    (value & ~bits) === 0n;
