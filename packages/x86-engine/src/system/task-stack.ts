/** The stacks of inner privilege levels, which the TSS names (Intel SDM Vol. 3A §5.8.5 "Stack Switching", §7.7 "Task Management in 64-bit Mode"). */
import type { Segment } from '@vireo/hypervisor';
import { isNull, readStackSegment } from './descriptor.ts';
import { GuestFault, selectorError, VECTOR } from './guest-fault.ts';
import { isCanonical, nullStackSegment, operatingMode, type Processor } from './processor.ts';
import { Stack } from './stack.ts';

const TSS_32_BIT = 8;
const LONG_RSP0 = 4;
const LONG_IST1 = 36;

/** @throws GuestFault #TS or #SS */
export function innerStack(processor: Processor, privilege: number, external: boolean): Stack {
  if (operatingMode(processor) !== 'long') return protectedModeStack(processor, privilege, external);
  return longModeStack(processor, {
    ...{ pointer: innerStackPointer(processor, privilege, external), privilege, external },
    segment: nullStackSegment(privilege),
  });
}

/** Long mode's RSP0 to RSP2. @throws GuestFault #TS or #SS */
export const innerStackPointer = (processor: Processor, privilege: number, external: boolean): bigint =>
  readPointer(processor, LONG_RSP0 + privilege * 8, external);

/** One of long mode's seven interrupt stacks, from 1. @throws GuestFault #TS or #SS */
export const interruptStackPointer = (processor: Processor, number: number, external: boolean): bigint =>
  readPointer(processor, LONG_IST1 + (number - 1) * 8, external);

/** A stack without limits. */
export function longModeStack(
  processor: Processor,
  stack: { pointer: bigint; segment: Segment; privilege: number; external: boolean },
): Stack {
  const { pointer, segment, privilege, external } = stack;
  return new Stack(processor, {
    ...{ segment, pointer, is64Bit: true, privilege: privilege === 3 ? 'user' : 'supervisor' },
    errorCode: external ? 1 : 0,
  });
}

function readPointer(processor: Processor, offset: number, external: boolean): bigint {
  requireEntry(processor, offset, 8, external);
  const pointer = processor.memory.read(taskStateGva(processor, offset), 8, 'system');
  if (!isCanonical(pointer)) throw new GuestFault(VECTOR.SS, external ? 1 : 0);
  return pointer;
}

/** SS and ESP (§7.2.1 "Task-State Segment (TSS)", §7.6 "16-Bit Task-State Segment (TSS)"). */
function protectedModeStack(processor: Processor, privilege: number, external: boolean): Stack {
  const { special, memory } = processor;
  const is32 = (special.tr.type & TSS_32_BIT) !== 0;
  const offset = is32 ? 4 + privilege * 8 : 2 + privilege * 4;
  requireEntry(processor, offset, is32 ? 6 : 4, external);
  const pointer = memory.read(taskStateGva(processor, offset), is32 ? 4 : 2, 'system');
  const selector = Number(memory.read(taskStateGva(processor, offset + (is32 ? 4 : 2)), 2, 'system'));
  if (isNull(selector)) throw new GuestFault(VECTOR.TS, external ? 1 : 0);
  const segment = readStackSegment(processor, selector, privilege, { external, fault: VECTOR.TS });
  return new Stack(processor, {
    ...{ segment, pointer, is64Bit: false, privilege: privilege === 3 ? 'user' : 'supervisor' },
    errorCode: selectorError(selector, external),
  });
}

const taskStateGva = ({ special }: Processor, offset: number): bigint =>
  BigInt.asUintN(64, special.tr.base + BigInt(offset));

function requireEntry({ special }: Processor, offset: number, lengthBytes: number, external: boolean): void {
  const { tr } = special;
  if (offset + lengthBytes - 1 > tr.limit)
    throw new GuestFault(VECTOR.TS, selectorError(tr.selector, external));
}
