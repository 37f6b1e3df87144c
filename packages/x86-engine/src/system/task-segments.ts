/** What a task's segments must be (Intel SDM Vol. 3A §7.3 "Task Switching", Table 7-1 "Exception Conditions Checked During a Task Switch"). */
import type { Segment } from '@vireo/hypervisor';
import { isCode, isConforming, isNull, readSegment, readStackSegment } from './descriptor.ts';
import { GuestFault, selectorError, VECTOR } from './guest-fault.ts';
import { virtual8086Segment } from './load-segment.ts';
import { type Processor, RFLAGS } from './processor.ts';
import type { TaskSegmentName, TaskState } from './task-state.ts';

const LDT_TYPE = 2;
const READABLE_CODE = 2;
const TABLE_INDICATOR = 4;
const DATA_NAMES = ['es', 'ds', 'fs', 'gs'] as const;

export type TaskSegments = Record<TaskSegmentName | 'ldt', Segment>;

/** @throws GuestFault #TS, #NP or #SS */
export function readTaskSegments(processor: Processor, state: TaskState, external: boolean): TaskSegments {
  const ldt = readTaskLdt(processor, state.ldt, external);
  const { selectors } = state;
  if ((state.rflags & RFLAGS.VM) !== 0n) {
    const names = Object.keys(selectors) as TaskSegmentName[];
    const segments = names.map((name) => [name, virtual8086Segment(selectors[name])] as const);
    return { ...(Object.fromEntries(segments) as Record<TaskSegmentName, Segment>), ldt };
  }
  // Selectors are the new task's, and so is the LDT that they may be in.
  const reader = { ...processor, special: { ...processor.special, ldt } };
  const cpl = selectors.cs & 3;
  const read = (selector: number) => readSegment(reader, selector, { external, fault: VECTOR.TS });
  const cs = read(requireSelector(selectors.cs, external));
  requireTaskSegment(cs, isTaskCode(cs, cpl), external);
  const stackSelector = requireSelector(selectors.ss, external);
  const ss = readStackSegment(reader, stackSelector, cpl, { external, fault: VECTOR.TS });
  const data = DATA_NAMES.map((name) => {
    const selector = selectors[name];
    if (isNull(selector)) return [name, { ...processor.special[name], selector, unusable: true }] as const;
    const segment = read(selector);
    requireTaskSegment(segment, isTaskData(segment, Math.max(cpl, selector & 3)), external);
    return [name, segment] as const;
  });
  return { cs, ss, ldt, ...(Object.fromEntries(data) as Record<(typeof DATA_NAMES)[number], Segment>) };
}

function readTaskLdt(processor: Processor, selector: number, external: boolean): Segment {
  if (isNull(selector)) return { ...processor.special.ldt, selector, unusable: true };
  const error = selectorError(selector, external);
  if ((selector & TABLE_INDICATOR) !== 0) throw new GuestFault(VECTOR.TS, error);
  const ldt = readSegment(processor, selector, { external, fault: VECTOR.TS });
  if (ldt.nonSystem || ldt.type !== LDT_TYPE || !ldt.present) throw new GuestFault(VECTOR.TS, error);
  return ldt;
}

function requireSelector(selector: number, external: boolean): number {
  if (isNull(selector)) throw new GuestFault(VECTOR.TS, external ? 1 : 0);
  return selector;
}

function requireTaskSegment(segment: Segment, isSuitable: boolean, external: boolean): void {
  const error = selectorError(segment.selector, external);
  if (!isSuitable) throw new GuestFault(VECTOR.TS, error);
  if (!segment.present) throw new GuestFault(VECTOR.NP, error);
}

const isTaskCode = (code: Segment, cpl: number): boolean =>
  isCode(code) && (isConforming(code) ? code.dpl <= cpl : code.dpl === cpl);

function isTaskData(segment: Segment, privilege: number): boolean {
  const isReadable = segment.nonSystem && (!isCode(segment) || (segment.type & READABLE_CODE) !== 0);
  return isReadable && ((isCode(segment) && isConforming(segment)) || privilege <= segment.dpl);
}
