/**
 * What the system's side does for each system instruction (x86-isa's system-operation.ts), ports apart: those are the
 * vCPU's, which asks `io-permission.ts`.
 *
 * An operation that throws has changed no register but DR6 and DR7, when it is #DB for DR7.GD. None can end in a triple
 * fault: what an interrupt's delivery faults on is thrown like everything else, for the caller to deliver with RIP at the
 * instruction (`deliver`, whose answer says whether the processor has stopped).
 */
import { CONTROL_REGISTERS } from './control-registers.ts';
import { DEBUG_REGISTERS } from './debug-registers.ts';
import { DESCRIPTOR_TABLES } from './descriptor-tables.ts';
import { FAR_RETURN } from './far-return.ts';
import { FAR_TRANSFERS } from './far-transfer.ts';
import { FLAGS } from './flags.ts';
import { MODEL_SPECIFIC } from './model-specific.ts';
import { SEGMENT_BASES } from './segment-bases.ts';
import { SEGMENT_QUERIES } from './segment-queries.ts';
import { SEGMENT_REGISTERS } from './segment-registers.ts';
import { SOFTWARE_INTERRUPTS } from './software-interrupt.ts';
import { STACK_FRAMES } from './stack-frames.ts';
import { SYSTEM_CALLS } from './system-call.ts';
import type { Operations } from './system-processor.ts';
import { TRANSLATIONS } from './translations.ts';
import { WAITING } from './waiting.ts';

export const OPERATIONS: Operations = {
  ...CONTROL_REGISTERS,
  ...DEBUG_REGISTERS,
  ...DESCRIPTOR_TABLES,
  ...FAR_RETURN,
  ...FAR_TRANSFERS,
  ...FLAGS,
  ...MODEL_SPECIFIC,
  ...SEGMENT_BASES,
  ...SEGMENT_QUERIES,
  ...SEGMENT_REGISTERS,
  ...SOFTWARE_INTERRUPTS,
  ...STACK_FRAMES,
  ...SYSTEM_CALLS,
  ...TRANSLATIONS,
  ...WAITING,
};
