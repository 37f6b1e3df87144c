/** Events in protected mode, from virtual-8086 mode too (Intel SDM Vol. 3A §6.12 "Exception and Interrupt Handling", §20.3 "Interrupt and Exception Handling in Virtual-8086 Mode"). */
import type { Segment } from '@vireo/hypervisor';
import { enterCode, requireOffset } from './code-target.ts';
import { type Gate, isConforming, markAccessed } from './descriptor.ts';
import type { GuestEvent } from './guest-event.ts';
import { GuestFault, selectorError, VECTOR } from './guest-fault.ts';
import { readGate, readHandlerSegment, savedFlags } from './handler.ts';
import { operatingMode, type Processor, privilegeLevel, RFLAGS } from './processor.ts';
import { Stack } from './stack.ts';
import type { SystemProcessor } from './system-processor.ts';
import { innerStack } from './task-stack.ts';
import { switchTask } from './task-switch.ts';

const TASK_GATE = 5;
/** Task gates, and interrupt and trap gates of 16 bits and of 32. */
const PROTECTED_MODE_GATES = { gateBytes: 8, types: [TASK_GATE, 6, 7, 14, 15] } as const;
const IS_TRAP = 1;
const IS_32_BIT = 8;

export function deliverInProtectedMode(processor: SystemProcessor, event: GuestEvent): void {
  const external = event.source !== 'software';
  const gate = readGate(processor, event, privilegeLevel(processor), PROTECTED_MODE_GATES);
  if (gate.type === TASK_GATE) {
    const { errorCode } = event;
    const how = { kind: 'event', external } as const;
    switchTask(processor, gate.selector, errorCode === undefined ? how : { ...how, errorCode });
  } else enterHandler(processor, event, gate, external);
}

function enterHandler(processor: Processor, event: GuestEvent, gate: Gate, external: boolean): void {
  const { general, special } = processor;
  const cpl = privilegeLevel(processor);
  const code = readHandlerSegment(processor, gate, { cpl, external, isSuitable: () => true });
  const lengthBytes = (gate.type & IS_32_BIT) !== 0 ? 4 : 2;
  const offset = lengthBytes === 4 ? gate.offset : gate.offset & 0xffffn;
  const privilege = isConforming(code) ? cpl : code.dpl;
  const fromVirtual8086 = operatingMode(processor) === 'virtual-8086';
  if (fromVirtual8086 && privilege !== 0)
    throw new GuestFault(VECTOR.GP, selectorError(gate.selector, external));
  const switches = privilege !== cpl;
  const stack = switches ? innerStack(processor, privilege, external) : Stack.current(processor);
  requireOffset(processor, code, offset, external ? 1 : 0);
  const marked = markAccessed(processor, code);
  const stackSegment = switches ? markAccessed(processor, stack.segment) : special.ss;
  stack.pushAll(frameOf(processor, event, { switches, fromVirtual8086 }), lengthBytes);
  special.ss = stackSegment;
  general.rsp = stack.pointer;
  if (fromVirtual8086)
    for (const name of ['ds', 'es', 'fs', 'gs'] as const) special[name] = unusable(special[name]);
  enterCode(processor, { ...marked, selector: gate.selector }, privilege, offset);
  general.rflags &= ~(RFLAGS.TF | RFLAGS.NT | RFLAGS.RF | RFLAGS.VM);
  if ((gate.type & IS_TRAP) === 0) general.rflags &= ~RFLAGS.IF;
}

function frameOf(
  processor: Processor,
  event: GuestEvent,
  { switches, fromVirtual8086 }: { switches: boolean; fromVirtual8086: boolean },
): bigint[] {
  const { general, special } = processor;
  const { errorCode } = event;
  const selectors = (names: readonly ('gs' | 'fs' | 'ds' | 'es' | 'ss')[]) =>
    names.map((name) => BigInt(special[name].selector));
  return [
    ...(fromVirtual8086 ? selectors(['gs', 'fs', 'ds', 'es']) : []),
    ...(switches ? [...selectors(['ss']), general.rsp] : []),
    ...[savedFlags(processor, event), BigInt(special.cs.selector), general.rip],
    ...(errorCode === undefined ? [] : [BigInt(errorCode)]),
  ];
}

function unusable(segment: Segment): Segment {
  return { ...segment, selector: 0, unusable: true };
}
