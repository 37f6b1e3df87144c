/**
 * What the kernel knows about a thread: its name (prctl(2)) and where it may run (sched_setaffinity(2)).
 *
 * The name of the whole process, which `ps` shows, is Node's process.title. It is written over the arguments that the
 * process was started with and cut at their length, so it is whole whenever it is made of one of them
 * (`vireo run --name NAME`). A thread's priority is os.setPriority with its thread id.
 */
import { check } from './host-error.ts';
import { lazily, type Pointer } from './libc.ts';

const PR_SET_NAME = 15;
const PR_GET_NAME = 16;
/** TASK_COMM_LEN without the terminating zero (include/linux/sched.h). */
const NAME_BYTES = 15;

/** Room for 8192 CPUs, the most that a distribution's kernel is built for (CONFIG_NR_CPUS with MAXSMP). */
const CPU_SET_BYTES = 1024;

const prctlCall = lazily<(option: number, argument: Pointer) => number>('int prctl(int, void *)');
const setAffinityCall = lazily<(tid: number, length: number, set: Pointer) => number>(
  'int sched_setaffinity(int, size_t, const void *)',
);
const getAffinityCall = lazily<(tid: number, length: number, set: Pointer) => number>(
  'int sched_getaffinity(int, size_t, void *)',
);

/** Names the calling thread, as `ps -T` and `top -H` show it. Cut at 15 bytes, at the end of a character. */
export function setThreadName(name: string): void {
  const bytes = new Uint8Array(NAME_BYTES + 1);
  new TextEncoder().encodeInto(name, bytes.subarray(0, NAME_BYTES));
  check(prctlCall(PR_SET_NAME, bytes), 'prctl', { subject: 'PR_SET_NAME' });
}

export function getThreadName(): string {
  const bytes = new Uint8Array(NAME_BYTES + 1);
  check(prctlCall(PR_GET_NAME, bytes), 'prctl', { subject: 'PR_GET_NAME' });
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}

/** Lets a thread run on these CPUs of the host only; the calling thread unless a thread id is given. */
export function setAffinity(cpus: Iterable<number>, tid = 0): void {
  const set = new Uint8Array(CPU_SET_BYTES);
  for (const cpu of cpus) {
    if (!Number.isInteger(cpu) || cpu < 0 || cpu >= CPU_SET_BYTES * 8) throw new RangeError(`no CPU ${cpu}`);
    set[cpu >> 3]! |= 1 << (cpu & 7);
  }
  check(setAffinityCall(tid, set.length, set), 'sched_setaffinity');
}

/** The host's CPUs on which a thread may run, in ascending order. */
export function getAffinity(tid = 0): number[] {
  const set = new Uint8Array(CPU_SET_BYTES);
  check(getAffinityCall(tid, set.length, set), 'sched_getaffinity');
  return Array.from({ length: CPU_SET_BYTES * 8 }, (_, cpu) => cpu).filter(
    (cpu) => set[cpu >> 3]! & (1 << (cpu & 7)),
  );
}
