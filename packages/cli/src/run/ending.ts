/** How a run ended: what the user is told, and the exit status. */
import type { VmOutcome } from '@vireo/vmm/config';
import { explain } from '../errors.ts';
import type { ConsoleEnding } from './serial-console.ts';
import type { SignalEnding } from './signals.ts';

export type Ending = { readonly kind: 'outcome'; readonly outcome: VmOutcome } | ConsoleEnding | SignalEnding;

export interface Conclusion {
  readonly exitStatus: number;
  /** One line, if there is anything to say. */
  readonly line?: string;
  /** More, for whoever asked for it. */
  readonly details?: string;
  /** How to ask for it. */
  readonly hint?: string;
}

export function conclude(ending: Ending): Conclusion {
  switch (ending.kind) {
    case 'outcome':
      return concludeOutcome(ending.outcome);
    case 'left':
      return { exitStatus: 0, line: 'ended the VM (Ctrl-]).' };
    case 'output-closed':
      return { exitStatus: 0 }; // as for any program that writes to a pipe: its reader has had enough
    case 'output-failed':
      return { exitStatus: 1, line: `the guest's console cannot be written: ${explain(ending.error).line}` };
    case 'hangup':
      return {
        exitStatus: 1,
        line: 'ended the VM, because its terminal went away. Run it in tmux, or under nohup.',
      };
    case 'cancelled':
      return { exitStatus: 1, line: `stopped before the VM ran (${ending.signal}).` };
    case 'forced': {
      const line = `ended the VM at once (${ending.signal}); what its guest had not written to disk is lost.`;
      return { exitStatus: 1, line };
    }
  }
}

function concludeOutcome(outcome: VmOutcome): Conclusion {
  switch (outcome.kind) {
    case 'power-off':
    case 'reset':
    case 'stopped':
      return { exitStatus: 0 };
    case 'panic':
      return {
        exitStatus: 1,
        line: `the guest's kernel panicked: ${outcome.message}. Its console says why; --append gives it other arguments.`,
      };
    case 'triple-fault':
    case 'internal-error':
    case 'fail-entry':
      return {
        exitStatus: 1,
        line: `vCPU ${outcome.vcpu} stopped: ${sentence(outcome.message)}`,
        hint: '--verbose shows its registers.',
        details: outcome.registers,
      };
    case 'debug-exit':
      // isa-debug-exit's convention: even the value 0 is told from a success of the monitor's own.
      return { exitStatus: ((outcome.value << 1) | 1) & 0xff };
  }
}

function sentence(message: string): string {
  return /[.!?]$/.test(message) ? message : `${message}.`;
}
