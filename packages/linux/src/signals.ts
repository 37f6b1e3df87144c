/**
 * Signals from thread to thread, whose only purpose is to interrupt a system call: tgkill(2), sigaction(2),
 * pthread_sigmask(3).
 *
 * Which signal: 32 and 33 belong to glibc (cancelling, setxid), SIGUSR1 to Node's inspector, SIGPROF to V8's
 * profiler; libuv handles what JavaScript listens for. The first real-time signal that glibc leaves to programs,
 * SIGRTMIN = 34, is free, and it is what other monitors kick their vCPUs with.
 */
import { check, HostError } from './host-error.ts';
import { lazily, type Pointer, symbolAddress } from './libc.ts';

/** The signal that kicks a vCPU's thread out of a system call. */
export const SIGNAL_KICK = 34;
export const SIGTTOU = 22;

const SYS_GETTID = 186;
const SYS_TGKILL = 234;

/** glibc's struct sigaction on x86-64: handler, a mask of 128 bytes, int flags, padding, restorer. */
const SIGACTION_BYTES = 152;
/** glibc's sigset_t; the kernel has 64 signals and looks at the first 8 bytes. */
const SIGSET_BYTES = 128;

const SIG_BLOCK = 0;
const SIG_UNBLOCK = 1;
const SIG_SETMASK = 2;

const syscall = lazily<(number: number, a: number, b: number, c: number) => number>(
  'intptr_t syscall(intptr_t, intptr_t, intptr_t, intptr_t)',
);
const sigactionCall = lazily<(signal: number, action: Pointer, old: Pointer) => number>(
  'int sigaction(int, const void *, void *)',
);
const pthreadSigmaskCall = lazily<(how: number, set: Pointer, old: Pointer) => number>(
  'int pthread_sigmask(int, const void *, void *)',
);

/** The kernel's id of the calling thread; the main thread's is the process's. */
export function gettid(): number {
  return syscall(SYS_GETTID, 0, 0, 0);
}

/** Sends a signal to one thread of this process, or of another. The process dies of it if there is no handler. */
export function tgkill(tid: number, signal: number, pid = process.pid): void {
  check(syscall(SYS_TGKILL, pid, tid, signal), 'tgkill', { subject: `thread ${tid}` });
}

/**
 * Gives a signal a handler that does nothing, for the whole process, so that it interrupts system calls (EINTR) and
 * has no other effect. No JavaScript may run in a signal handler; the handler is libc's abs(), which touches nothing.
 * Without SA_RESTART, or the kernel would go on with the call.
 */
export function installWakeHandler(signal: number): void {
  const action = new DataView(new ArrayBuffer(SIGACTION_BYTES));
  action.setBigUint64(0, BigInt(symbolAddress('abs')), true);
  check(sigactionCall(signal, action, null), 'sigaction', { subject: `signal ${signal}` });
}

/** The signals that are blocked in a thread, as the kernel keeps them: bit n - 1 is signal n. */
export type SignalMask = bigint;

/** Blocks signals in the calling thread; returns what was blocked before. */
export function blockSignals(signals: readonly number[]): SignalMask {
  return changeMask(SIG_BLOCK, maskOf(signals));
}

/** Unblocks signals in the calling thread; returns what was blocked before. A pending one is delivered at once. */
export function unblockSignals(signals: readonly number[]): SignalMask {
  return changeMask(SIG_UNBLOCK, maskOf(signals));
}

/** Sets exactly which signals are blocked in the calling thread; returns what was blocked before. */
export function setSignalMask(mask: SignalMask): SignalMask {
  return changeMask(SIG_SETMASK, mask);
}

/** The mask that holds these signals. */
export function maskOf(signals: readonly number[]): SignalMask {
  return signals.reduce((mask, signal) => mask | (1n << BigInt(signal - 1)), 0n);
}

function changeMask(how: number, mask: SignalMask): SignalMask {
  const set = new BigUint64Array(SIGSET_BYTES / 8);
  const old = new BigUint64Array(SIGSET_BYTES / 8);
  set[0] = mask;
  const error = pthreadSigmaskCall(how, set, old); // returns the error number, leaves errno alone
  if (error !== 0) throw new HostError('pthread_sigmask', error);
  return old[0]!;
}
