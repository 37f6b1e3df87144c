/**
 * The format's arithmetic written down a second time, as simply as can be: exact rationals of bigints, rounded. For
 * finite operands and masked exceptions.
 */
import type { Value } from './float80-module.ts';

const BIAS = 0x3fff;
const FLAG = { overflow: 0x08, underflow: 0x10, precision: 0x20, c1: 0x200 } as const;

/** numerator / denominator, the denominator positive. */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

export function rationalOf({ top, significand }: Value): Rational {
  const power = Math.max(top & 0x7fff, 1) - BIAS - 63;
  const signed = (top & 0x8000) !== 0 ? -significand : significand;
  return power < 0
    ? { numerator: signed, denominator: 1n << BigInt(-power) }
    : { numerator: signed << BigInt(power), denominator: 1n };
}

export interface Rounded {
  readonly value: Value;
  readonly flags: number;
}

/** How the value falls between two neighbours: the lower one's magnitude in units, and what is left over. */
interface Split {
  readonly units: bigint;
  readonly rest: bigint;
  readonly divisor: bigint;
}

/** Rounds a number other than zero as the control word says, its precision control included. */
export function round({ numerator, denominator }: Rational, control: number): Rounded {
  const isNegative = numerator < 0n;
  const magnitude = { numerator: isNegative ? -numerator : numerator, denominator };
  const bits = [24, 64, 53, 64][(control >> 8) & 3]!;
  const power = floorLog2(magnitude);
  // As if the exponent had no limit, then as it has: the first tells whether the result is tiny.
  const free = nearest(split(magnitude, power - bits + 1), isNegative, control);
  const carries = free.units >> BigInt(bits) !== 0n;
  const isTiny = power + (carries ? 1 : 0) < 1 - BIAS;
  if (!isTiny) return assemble(isNegative, free.units, power - bits + 1, free.flags, control);
  const lowest = 1 - BIAS - bits + 1;
  const tiny = nearest(split(magnitude, lowest), isNegative, control);
  const flags = tiny.flags === 0 ? 0 : tiny.flags | FLAG.underflow;
  return assemble(isNegative, tiny.units, lowest, flags, control);
}

function floorLog2({ numerator, denominator }: Rational): number {
  const guess = numerator.toString(2).length - denominator.toString(2).length;
  const { units } = split({ numerator, denominator }, guess);
  return units === 0n ? guess - 1 : guess;
}

function split({ numerator, denominator }: Rational, unitPower: number): Split {
  const dividend = unitPower < 0 ? numerator << BigInt(-unitPower) : numerator;
  const divisor = unitPower < 0 ? denominator : denominator << BigInt(unitPower);
  return { units: dividend / divisor, rest: dividend % divisor, divisor };
}

function nearest({ units, rest, divisor }: Split, isNegative: boolean, control: number) {
  if (rest === 0n) return { units, flags: 0 };
  const twice = 2n * rest;
  const up = [twice > divisor || (twice === divisor && (units & 1n) === 1n), isNegative, !isNegative, false][
    (control >> 10) & 3
  ]!;
  return up ? { units: units + 1n, flags: FLAG.precision | FLAG.c1 } : { units, flags: FLAG.precision };
}

function assemble(
  isNegative: boolean,
  units: bigint,
  power: number,
  flags: number,
  control: number,
): Rounded {
  const sign = isNegative ? 0x8000 : 0;
  if (units === 0n) return { value: { top: sign, significand: 0n }, flags };
  const length = units.toString(2).length;
  const exponent = Math.max(power + length - 1 + BIAS, 0);
  if (exponent > 0x7ffe) return overflow(isNegative, control);
  // A denormal's lowest place is that of the smallest normal.
  const place = Math.max(exponent, 1) - BIAS - 63;
  const significand = units << BigInt(power - place);
  return { value: { top: sign | (significand >> 63n === 0n ? 0 : exponent), significand }, flags };
}

function overflow(isNegative: boolean, control: number): Rounded {
  const sign = isNegative ? 0x8000 : 0;
  const toInfinity = [true, isNegative, !isNegative, false][(control >> 10) & 3]!;
  const flags = FLAG.overflow | FLAG.precision;
  if (toInfinity) return { value: { top: sign | 0x7fff, significand: 1n << 63n }, flags: flags | FLAG.c1 };
  const cut = BigInt([40, 0, 11, 0][(control >> 8) & 3]!);
  return { value: { top: sign | 0x7ffe, significand: ((1n << 64n) - 1n) & ~((1n << cut) - 1n) }, flags };
}
