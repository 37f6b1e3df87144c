/** What a guest program printed (tests/guests/cpu/guest.h), and whether it can be believed. */
import { UserError } from '@vireo/errors';
import { WRONG_RESULT } from '../alternate.ts';

export interface RunResult {
  readonly iterations: number;
  /** By the clock of where it ran. */
  readonly nanoseconds: number;
  /** Hexadecimal. */
  readonly checksum: string;
}

/** How far a guest's clock may be from the host's: a share of the time, and what a busy host may add at either end. */
const CLOCK_SHARE = 0.1;
const CLOCK_MS = 150;
const SHOWN_CHARACTERS = 300;

/** The last line of the program's in the output; undefined when there is none. */
export function parseRunResult(name: string, output: string): RunResult | undefined {
  const pattern = new RegExp(`^${name} (\\d+) (\\d+) ([0-9a-f]{16})\\r?$`, 'gm');
  const match = [...output.matchAll(pattern)].at(-1);
  if (match === undefined) return undefined;
  const [, iterations, nanoseconds, checksum] = match;
  return { iterations: Number(iterations), nanoseconds: Number(nanoseconds), checksum: checksum! };
}

/** @throws UserError when a program ended badly, or said nothing that can be read. */
export function requireRunResult(where: string, name: string, status: number, output: string): RunResult {
  const result = parseRunResult(name, output);
  if (status === 0 && result !== undefined) return result;
  const said = output.replaceAll('\r', '').trim().slice(-SHOWN_CHARACTERS);
  throw wrong(`${where}: ${name} ended with status ${status}, and said: ${said || 'nothing'}`);
}

/** @throws UserError unless both computed the same. */
export function requireSameResult(where: string, name: string, result: RunResult, expected: RunResult): void {
  if (result.iterations === expected.iterations && result.checksum === expected.checksum) return;
  throw wrong(
    `${where}: ${name} computed ${result.checksum} in ${result.iterations} iterations, ` +
      `and this host's processor ${expected.checksum} in ${expected.iterations}`,
  );
}

/**
 * A guest whose clock is slow would look fast.
 * @throws UserError unless its time is the host's.
 */
export function requireHostTime(where: string, name: string, result: RunResult, hostMs: number): void {
  const guestMs = result.nanoseconds / 1e6;
  if (Math.abs(guestMs - hostMs) <= hostMs * CLOCK_SHARE + CLOCK_MS) return;
  throw wrong(
    `${where}: ${name} took ${guestMs.toFixed(0)} ms by the guest's clock, ${hostMs.toFixed(0)} ms by this host's`,
  );
}

function wrong(message: string): UserError {
  return new UserError(
    WRONG_RESULT,
    `${message}.`,
    'A result like this cannot be compared: mend what ran it.',
  );
}
