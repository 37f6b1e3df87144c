/**
 * Hardware task switches, which IA-32e mode does not have (Intel SDM Vol. 3A §7.3 "Task Switching"). What the manual
 * leaves to the new task to fault on (its segments, its first instruction) is checked before anything has changed, in the
 * old address space; a debug trap on entry (the T flag) is not taken.
 */
import type { Segment } from '@vireo/hypervisor';
import { requireOffset } from './code-target.ts';
import { changeType, readSegment } from './descriptor.ts';
import { GuestFault, selectorError, VECTOR } from './guest-fault.ts';
import { type Processor, RFLAGS } from './processor.ts';
import { Stack } from './stack.ts';
import type { SystemProcessor } from './system-processor.ts';
import { readTaskSegments, type TaskSegments } from './task-segments.ts';
import { prepareSave, readTaskState, requireTaskLimit, type TaskState } from './task-state.ts';

const TABLE_INDICATOR = 4;
const BUSY = 2;
const AVAILABLE: readonly number[] = [1, 9];
const BUSY_TYPES: readonly number[] = [3, 11];
const TASK_FLAGS = 0x3f_7fd7n;
const CR0_TS = 1n << 3n;
const CR0_PG = 1n << 31n;
/** L0 to L3 and LE, which are the task's. */
const DR7_LOCAL = 0x155n;

export interface TaskSwitch {
  readonly kind: 'jump' | 'call' | 'return' | 'event';
  readonly external?: boolean;
  /** Of an exception: goes to the new stack. */
  readonly errorCode?: number;
}

/** Privilege has been checked: TSS descriptors' and task gates' differ. @throws GuestFault; then nothing has changed */
export function switchTask(processor: SystemProcessor, selector: number, how: TaskSwitch): void {
  const { kind, external = false } = how;
  const { general, special } = processor;
  const tss = readTask(processor, selector, how);
  requireTaskLimit(tss, external);
  requireTaskLimit(special.tr, external);
  const state = readTaskState(processor, tss);
  const segments = readTaskSegments(processor, state, external);
  requireOffset(processor, segments.cs, state.rip);
  const nests = kind === 'call' || kind === 'event';
  if (nests) processor.memory.check(tss.base, 2, 'write', 'system');
  const save = prepareSave(processor, kind === 'return' ? general.rflags & ~RFLAGS.NT : general.rflags);
  if (!nests) changeType(processor, special.tr.selector, { clear: BUSY });
  if (kind !== 'return') changeType(processor, selector, { set: BUSY });
  save();
  if (nests) processor.memory.write(tss.base, 2, BigInt(special.tr.selector), 'system');
  special.tr = { ...tss, type: tss.type | BUSY };
  enterTask(processor, state, segments, nests);
  if (how.errorCode !== undefined) pushErrorCode(processor, how.errorCode, state.wordBytes);
}

/** IRET with NT set: to the task that this one was called from. @throws GuestFault; then nothing has changed */
export function returnToTask(processor: SystemProcessor): void {
  const link = Number(processor.memory.read(processor.special.tr.base, 2, 'system'));
  switchTask(processor, link, { kind: 'return' });
}

/** Tasks are not recursive: only a return goes to one that is busy. */
function readTask(processor: Processor, selector: number, { kind, external = false }: TaskSwitch): Segment {
  const fault = kind === 'return' ? VECTOR.TS : VECTOR.GP;
  const error = selectorError(selector, external);
  if ((selector & TABLE_INDICATOR) !== 0 || (selector & 0xfffc) === 0) throw new GuestFault(fault, error);
  const tss = readSegment(processor, selector, { external, fault });
  const types = kind === 'return' ? BUSY_TYPES : AVAILABLE;
  if (tss.nonSystem || !types.includes(tss.type)) throw new GuestFault(fault, error);
  if (!tss.present) throw new GuestFault(VECTOR.NP, error);
  return tss;
}

function enterTask(
  processor: SystemProcessor,
  state: TaskState,
  segments: TaskSegments,
  isNested: boolean,
): void {
  const { general, special, debug } = processor;
  if (state.cr3 !== undefined && (special.cr0 & CR0_PG) !== 0n) {
    special.cr3 = state.cr3;
    processor.invalidateTranslations('non-global');
  }
  Object.assign(special, segments);
  special.cr0 |= CR0_TS;
  debug.dr7 &= ~DR7_LOCAL;
  Object.assign(general, state.registers);
  general.rip = state.rip;
  general.rflags = (state.rflags & TASK_FLAGS) | 2n | (isNested ? RFLAGS.NT : 0n);
}

/** What faults here does so in the new task. */
function pushErrorCode(processor: Processor, errorCode: number, wordBytes: 2 | 4): void {
  const stack = Stack.current(processor);
  stack.push(BigInt(errorCode), wordBytes);
  processor.general.rsp = stack.pointer;
}
