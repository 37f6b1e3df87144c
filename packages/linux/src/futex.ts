/**
 * futex(2): sleeping until a word of memory changes. For memory that Atomics.wait does not take: mappings, and memory
 * shared with other processes. (Atomics.wait and notify have a list of waiters of their own, inside V8: neither wakes
 * the other.)
 */
import { check, HostError } from './host-error.ts';
import { errno, lazily, type Pointer } from './libc.ts';

const SYS_FUTEX = 202;
/** Without FUTEX_PRIVATE_FLAG: the waiter may be in another process. */
const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;

const EINTR = 4;
const EAGAIN = 11;
const ETIMEDOUT = 110;

const futexCall = lazily<
  (number: number, word: Pointer, op: number, value: number, timeout: Pointer) => number
>('intptr_t syscall(intptr_t, void *, intptr_t, intptr_t, void *)');

/** An aligned 32-bit word: its address, or an array whose first element it is and which lies outside V8's heap. */
export type FutexWord = number | Int32Array;

/** `changed`: the word did not hold the expected value. `interrupted`: a signal came. */
export type FutexWaitResult = 'woken' | 'changed' | 'timed-out' | 'interrupted';

/** Sleeps while the word holds `expected`, for at most `timeoutMs`. May also wake for no reason: check the word. */
export function futexWait(word: FutexWord, expected: number, timeoutMs: number): FutexWaitResult {
  const result = futexCall(SYS_FUTEX, word, FUTEX_WAIT, expected | 0, timespec(timeoutMs));
  if (result === 0) return 'woken';
  const error = errno();
  switch (error) {
    case EAGAIN:
      return 'changed';
    case ETIMEDOUT:
      return 'timed-out';
    case EINTR:
      return 'interrupted';
    default:
      throw new HostError('futex', error, { subject: 'FUTEX_WAIT' });
  }
}

/** Wakes at most `count` sleepers; returns how many there were. */
export function futexWake(word: FutexWord, count = 1): number {
  return check(futexCall(SYS_FUTEX, word, FUTEX_WAKE, count, null), 'futex', { subject: 'FUTEX_WAKE' });
}

/** struct timespec: seconds and nanoseconds, both 64 bits. */
function timespec(timeoutMs: number): BigInt64Array {
  const seconds = Math.floor(timeoutMs / 1000);
  return BigInt64Array.of(BigInt(seconds), BigInt(Math.floor((timeoutMs - seconds * 1000) * 1e6)));
}
