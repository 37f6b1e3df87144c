/** Task-state segments in memory (Intel SDM Vol. 3A §7.2.1 "Task-State Segment (TSS)", §7.6 "16-Bit Task-State Segment (TSS)"). */
import { GENERAL_REGISTER_NAMES, type GeneralRegisterName, type Segment } from '@vireo/hypervisor';
import { GuestFault, selectorError, VECTOR } from './guest-fault.ts';
import type { Processor } from './processor.ts';

const IS_32_BIT = 8;
const REGISTERS: readonly GeneralRegisterName[] = GENERAL_REGISTER_NAMES.slice(0, 8);
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const;
export type TaskSegmentName = (typeof SEGMENTS)[number];

interface Layout {
  readonly wordBytes: 2 | 4;
  readonly minimumLimit: number;
  /** Where RIP is, then RFLAGS, the general registers, the segments and, static, LDTR. */
  readonly rip: number;
  readonly segments: readonly TaskSegmentName[];
  readonly cr3?: number;
}

const LAYOUT_32: Layout = { wordBytes: 4, minimumLimit: 0x67, rip: 0x20, segments: SEGMENTS, cr3: 0x1c };
/** It has neither FS and GS nor CR3. */
const LAYOUT_16: Layout = { wordBytes: 2, minimumLimit: 0x2b, rip: 0x0e, segments: SEGMENTS.slice(0, 4) };

export const layoutOf = ({ type }: Segment): Layout => ((type & IS_32_BIT) !== 0 ? LAYOUT_32 : LAYOUT_16);

export interface TaskState {
  readonly wordBytes: 2 | 4;
  readonly rip: bigint;
  readonly rflags: bigint;
  readonly registers: Readonly<Partial<Record<GeneralRegisterName, bigint>>>;
  readonly selectors: Readonly<Record<TaskSegmentName, number>>;
  readonly ldt: number;
  readonly cr3: bigint | undefined;
}

const place = (tss: Segment, offset: number): bigint => BigInt.asUintN(64, tss.base + BigInt(offset));

/** @throws GuestFault #TS when it is too short */
export function requireTaskLimit(tss: Segment, external: boolean): void {
  if (tss.limit < layoutOf(tss).minimumLimit)
    throw new GuestFault(VECTOR.TS, selectorError(tss.selector, external));
}

export function readTaskState({ memory }: Processor, tss: Segment): TaskState {
  const { wordBytes, rip, segments, cr3 } = layoutOf(tss);
  const word = (index: number) => memory.read(place(tss, rip + index * wordBytes), wordBytes, 'system');
  const registers = Object.fromEntries(REGISTERS.map((name, index) => [name, word(2 + index)]));
  const firstSegment = 2 + REGISTERS.length;
  const selectors = SEGMENTS.map((name, index) => {
    const isThere = segments.includes(name);
    return [name, isThere ? Number(word(firstSegment + index) & 0xffffn) : 0];
  });
  return {
    ...{ wordBytes, rip: word(0), rflags: word(1), registers },
    selectors: Object.fromEntries(selectors) as Record<TaskSegmentName, number>,
    ldt: Number(word(firstSegment + segments.length) & 0xffffn),
    cr3: cr3 === undefined ? undefined : memory.read(place(tss, cr3), 4, 'system'),
  };
}

/** What a task leaves in its TSS. @returns what writes it, once nothing can fault any more @throws GuestFault */
export function prepareSave({ memory, general, special }: Processor, rflags: bigint): () => void {
  const tss = special.tr;
  const { wordBytes, rip, segments } = layoutOf(tss);
  const values = [
    ...[general.rip, rflags, ...REGISTERS.map((name) => general[name])],
    ...segments.map((name) => BigInt(special[name].selector)),
  ];
  memory.check(place(tss, rip), values.length * wordBytes, 'write', 'system');
  return () => {
    for (const [index, value] of values.entries()) {
      const gva = place(tss, rip + index * wordBytes);
      memory.write(gva, wordBytes, BigInt.asUintN(wordBytes * 8, value), 'system');
    }
  };
}
