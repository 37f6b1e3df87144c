/** What a stop of the traced process means for the case that it ran. */
import type { Tracee, TraceeStop } from '@vireo/linux';
import type { FaultKind } from './case.ts';

export const SIGTRAP = 5;
export const SIGSEGV = 11;
const SIGVTALRM = 26;

/** The signals of the processor's exceptions. */
export const FAULT_SIGNALS: Readonly<Record<number, FaultKind>> = {
  4: 'ill',
  [SIGTRAP]: 'trap',
  7: 'bus',
  8: 'fpe',
  [SIGSEGV]: 'segv',
};

/** The si_code of INT3. */
export const SI_KERNEL = 128;
/** The si_code of a single step. */
export const TRAP_TRACE = 2;

/** Runs one instruction, or on, until something stops it that belongs to the case. */
export function runToStop(tracee: Tracee, extent: 'step' | 'continue'): TraceeStop {
  let ticks = 0;
  for (;;) {
    const stop = tracee.resume(`${extent}-without-calls`);
    if (stop.kind === 'ended')
      throw new Error(`the traced process ended, status 0x${stop.status.toString(16)}`);
    if (stop.kind === 'system-call') return stop;
    if (stop.kind !== 'signal') continue;
    if (stop.signal in FAULT_SIGNALS) return stop;
    // The first tick may be due to the cases before; the second comes after a whole period in this one.
    if (stop.signal === SIGVTALRM && ++ticks === 2) return stop;
  }
}
