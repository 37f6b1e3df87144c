/** Events in IA-32e mode (Intel SDM Vol. 3A §6.14 "Exception and Interrupt Handling in 64-bit Mode"). */
import type { Segment } from '@vireo/hypervisor';
import { enterCode } from './code-target.ts';
import { isConforming, markAccessed } from './descriptor.ts';
import type { GuestEvent } from './guest-event.ts';
import { generalProtection } from './guest-fault.ts';
import { readGate, readHandlerSegment, savedFlags } from './handler.ts';
import { isCanonical, nullStackSegment, type Processor, privilegeLevel, RFLAGS } from './processor.ts';
import type { Stack } from './stack.ts';
import { innerStackPointer, interruptStackPointer, longModeStack } from './task-stack.ts';

const INTERRUPT_GATE = 14;
const TRAP_GATE = 15;
const LONG_MODE_GATES = { gateBytes: 16, types: [INTERRUPT_GATE, TRAP_GATE] } as const;

export function deliverInLongMode(processor: Processor, event: GuestEvent): void {
  const { general, special } = processor;
  const external = event.source !== 'software';
  const cpl = privilegeLevel(processor);
  const gate = readGate(processor, event, cpl, LONG_MODE_GATES);
  const code = readHandlerSegment(processor, gate, { cpl, external, isSuitable: is64Bit });
  if (!isCanonical(gate.offset)) throw generalProtection(external ? 1 : 0);
  const privilege = isConforming(code) ? cpl : code.dpl;
  const stack = stackFor(processor, { stackTable: gate.stackTable, privilege, cpl, external });
  const frame = [
    ...[BigInt(special.ss.selector), general.rsp, savedFlags(processor, event)],
    ...[BigInt(special.cs.selector), general.rip],
    ...(event.errorCode === undefined ? [] : [BigInt(event.errorCode)]),
  ];
  const marked = markAccessed(processor, code);
  stack.pushAll(frame, 8);
  enterCode(processor, { ...marked, selector: gate.selector }, privilege, gate.offset);
  special.ss = stack.segment;
  general.rsp = stack.pointer;
  general.rflags &= ~(RFLAGS.TF | RFLAGS.NT | RFLAGS.RF | RFLAGS.VM);
  if (gate.type === INTERRUPT_GATE) general.rflags &= ~RFLAGS.IF;
}

const is64Bit = ({ long, defaultBig }: Segment): boolean => long && !defaultBig;

/** Aligned to 16 bytes (§6.14.2 "64-Bit Mode Stack Frame"); SS becomes null where the privilege changes. */
function stackFor(
  processor: Processor,
  target: { stackTable: number; privilege: number; cpl: number; external: boolean },
): Stack {
  const { stackTable, privilege, cpl, external } = target;
  const { general, special } = processor;
  const segment = privilege === cpl ? special.ss : nullStackSegment(privilege);
  const pointer = () => {
    if (stackTable !== 0) return interruptStackPointer(processor, stackTable, external);
    return privilege === cpl ? general.rsp : innerStackPointer(processor, privilege, external);
  };
  return longModeStack(processor, { pointer: pointer() & ~15n, segment, privilege, external });
}
