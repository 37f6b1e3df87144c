/** Sizes of memory as people write them: `512M`, `2G`, `1.5GiB`. */
import { UserError } from '@vireo/errors';

const UNIT_BYTES: Readonly<Record<string, number>> = {
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};

const MIB = 2 ** 20;

/**
 * K, M, G and T, with or without iB, are powers of 1024; the result is a whole number of MiB. A number without a unit
 * is refused: other programs take it for bytes or for MiB, so whoever writes one may mean either.
 */
export function parseSize(option: string, text: string): number {
  const [, digits, unit] = /^(\d{1,12}(?:\.\d{1,9})?)([kmgt])(?:ib)?$/i.exec(text.trim()) ?? [];
  const refuse = (what: string) =>
    new UserError('bad-size', `${option} ${quote(text)} ${what}`, 'Write it like 512M or 2G.');
  if (digits === undefined || unit === undefined) throw refuse('is not a size');
  const bytes = Number(digits) * UNIT_BYTES[unit.toLowerCase()]!;
  if (bytes === 0) throw refuse('is no memory at all');
  if (!Number.isSafeInteger(bytes) || bytes % MIB !== 0) throw refuse('is not a whole number of MiB');
  return bytes;
}

/** 536870912 → `512 MiB`, in the largest unit that is not above it, with one decimal at most. */
export function formatSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toFixed(1))} ${units[unit]}`;
}

/** What the user wrote, so that an empty word, a blank or a control character can be seen. */
export function quote(text: string): string {
  return /^[\w.,:/=+-]+$/.test(text) ? text : JSON.stringify(text).replace(/\p{Cc}/gu, '?');
}
