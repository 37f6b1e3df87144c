/** Landlock (landlock(7)): so far, which version of it the kernel has. */
import { lazily } from './libc.ts';

const SYS_LANDLOCK_CREATE_RULESET = 444;
/** linux/landlock.h: return the ABI's version instead of making a ruleset. */
const LANDLOCK_CREATE_RULESET_VERSION = 1;

const syscall = lazily<(number: number, attributes: null, sizeBytes: number, flags: number) => number>(
  'intptr_t syscall(intptr_t, void *, intptr_t, intptr_t)',
);

/** The version of Landlock's ABI; 0 where the kernel has none or it was turned off at boot. */
export function landlockAbi(): number {
  return Math.max(0, syscall(SYS_LANDLOCK_CREATE_RULESET, null, 0, LANDLOCK_CREATE_RULESET_VERSION));
}
