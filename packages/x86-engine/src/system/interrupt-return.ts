/** IRET, IRETD and IRETQ (Intel SDM Vol. 2A "IRET/IRETD/IRETQ—Interrupt Return"). That it unblocks NMIs is its caller's. */
import { paragraphCode, requireOffset } from './code-target.ts';
import { requireIoPrivilegeInVirtual8086, settableByPrivilege } from './flags.ts';
import { generalProtection } from './guest-fault.ts';
import { virtual8086Segment } from './load-segment.ts';
import { enterReturn, returnCode, returnStack } from './outer-return.ts';
import { is64BitMode, operatingMode, type Processor, privilegeLevel, RFLAGS } from './processor.ts';
import { Stack } from './stack.ts';
import type { SystemProcessor } from './system-processor.ts';
import { returnToTask } from './task-switch.ts';

/** What IRET may set at any privilege: not VM, and neither IF nor IOPL. */
const ANYBODY = 0x25_4dd5n;
const VIRTUAL_8086_FLAGS = 0x3f_7fd5n;

interface Frame {
  readonly rip: bigint;
  readonly cs: number;
  readonly rflags: bigint;
}

/** @throws GuestFault; then nothing has changed */
export function interruptReturn(processor: SystemProcessor, operandBytes: 2 | 4 | 8): void {
  const mode = operatingMode(processor);
  const { general } = processor;
  requireIoPrivilegeInVirtual8086(processor);
  const isNested = (general.rflags & RFLAGS.NT) !== 0n;
  if (isNested && mode === 'long') throw generalProtection();
  if (isNested && mode === 'protected') {
    returnToTask(processor);
    return;
  }
  const stack = Stack.current(processor);
  const rip = stack.pop(operandBytes);
  const cs = Number(stack.pop(operandBytes) & 0xffffn);
  const frame: Frame = { rip, cs, rflags: stack.pop(operandBytes) };
  if (mode === 'real' || mode === 'virtual-8086') returnToParagraph(processor, stack, frame, operandBytes);
  else if (mode === 'protected' && isToVirtual8086(processor, frame, operandBytes))
    returnToVirtual8086(processor, stack, frame);
  else returnToSegment(processor, stack, frame, operandBytes);
}

function returnToSegment(
  processor: Processor,
  stack: Stack,
  { rip, cs, rflags }: Frame,
  operandBytes: 2 | 4 | 8,
): void {
  const code = returnCode(processor, cs);
  const privilege = cs & 3;
  // In 64-bit mode SS and RSP are always there.
  const hasStack = privilege > privilegeLevel(processor) || is64BitMode(processor);
  const rsp = hasStack ? stack.pop(operandBytes) : stack.pointer;
  const segment = hasStack
    ? returnStack(processor, Number(stack.pop(operandBytes) & 0xffffn), privilege, code)
    : processor.special.ss;
  requireOffset(processor, code, rip);
  const settable = ANYBODY | settableByPrivilege(processor);
  enterReturn(processor, { code, stack: segment, rip, rsp });
  setFlags(processor, rflags, settable, operandBytes);
}

function setFlags({ general }: Processor, rflags: bigint, settable: bigint, operandBytes: number): void {
  const mask = operandBytes === 2 ? settable & 0xffffn : settable;
  general.rflags = (general.rflags & ~mask) | (rflags & mask) | 2n;
}

/** In real-address and virtual-8086 mode. */
function returnToParagraph(
  processor: Processor,
  stack: Stack,
  { rip, cs, rflags }: Frame,
  operandBytes: number,
): void {
  const code = paragraphCode(processor, cs);
  requireOffset(processor, code, rip);
  setFlags(processor, rflags, ANYBODY | settableByPrivilege(processor), operandBytes);
  processor.special.cs = code;
  processor.general.rip = rip;
  processor.general.rsp = stack.pointer;
}

const isToVirtual8086 = (processor: Processor, { rflags }: Frame, operandBytes: number): boolean =>
  operandBytes === 4 && (rflags & RFLAGS.VM) !== 0n && privilegeLevel(processor) === 0;

/** Intel SDM Vol. 3A §20.2.5 "Entering Virtual-8086 Mode". */
function returnToVirtual8086(processor: Processor, stack: Stack, { rip, cs, rflags }: Frame): void {
  const { general, special } = processor;
  const rsp = stack.pop(4);
  const segments = (['ss', 'es', 'ds', 'fs', 'gs'] as const).map(
    (name) => [name, virtual8086Segment(Number(stack.pop(4) & 0xffffn))] as const,
  );
  const code = virtual8086Segment(cs);
  requireOffset(processor, code, rip);
  special.cs = code;
  for (const [name, segment] of segments) special[name] = segment;
  general.rip = rip;
  general.rsp = rsp;
  general.rflags = (rflags & VIRTUAL_8086_FLAGS) | RFLAGS.VM | 2n;
}
