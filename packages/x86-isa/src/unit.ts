/**
 * The parts of the processor that an operating system may have switched off in CR0 and CR4, to load a task's state only
 * when the task needs it (Intel SDM Vol. 3A §2.5 "Control Registers", §12.1 "Emulation of the MMX Instruction Set", §13.1
 * "Providing Operating System Support for SSE Extensions").
 */
import type { Encoding, Instruction, Unit } from './instruction.ts';

/** What an instruction needs: what it says, or what its registers are. */
export function unitOf({ unit }: Instruction, { operands }: Encoding): Unit | undefined {
  if (unit !== undefined) return unit;
  if (operands.some(({ registers }) => registers === 'xmm')) return 'sse';
  return operands.some(({ registers }) => registers === 'mmx') ? 'mmx' : undefined;
}
