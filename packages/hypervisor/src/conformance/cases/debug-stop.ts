/** What debug stops have in common. */
import type { DebugExit } from '../../exits.ts';
import type { Machine } from '../machine.ts';

export const DB = 1;

export const DR6_HITS = 0xfn;

/** Runs to the next debug stop. */
export function stop(machine: Machine): DebugExit {
  return machine.expect('debug');
}

export function address(machine: Machine, label: string): bigint {
  return BigInt(machine.program.address(label));
}
