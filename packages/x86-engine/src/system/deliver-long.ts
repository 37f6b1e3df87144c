/** Events in IA-32e mode (Intel SDM Vol. 3A §6.14 "Exception and Interrupt Handling in 64-bit Mode"). */
import type { Segment } from '@vireo/hypervisor';
import { type Gate, isConforming } from './descriptor.ts';
import type { GuestEvent } from './guest-event.ts';
import { GuestFault, selectorError, VECTOR } from './guest-fault.ts';
import { readGate, readHandlerSegment } from './handler.ts';
import { isCanonical, nullStackSegment, type Processor, privilegeLevel, RFLAGS } from './processor.ts';

const INTERRUPT_GATE = 14;
const TRAP_GATE = 15;
const LONG_MODE_GATES = { gateBytes: 16, types: [INTERRUPT_GATE, TRAP_GATE] } as const;
/** Where the 64-bit TSS has RSP0 and IST1 (§7.7 "Task Management in 64-bit Mode"). */
const TSS_RSP0 = 4;
const TSS_IST1 = 36;

export function deliverInLongMode(processor: Processor, event: GuestEvent): void {
  const { general, special, memory } = processor;
  const external = event.source !== 'software';
  const cpl = privilegeLevel(processor);
  const gate = readGate(processor, event, cpl, LONG_MODE_GATES);
  if (!isCanonical(gate.offset)) throw new GuestFault(VECTOR.GP, 0);
  const code = readHandlerSegment(processor, gate, { cpl, external, isSuitable: is64Bit });
  const privilege = isConforming(code) ? cpl : code.dpl;
  const newStack = stackFor(processor, gate, privilege, cpl, external);
  const frame = [
    ...[BigInt(special.ss.selector), general.rsp, savedFlags(processor, event)],
    ...[BigInt(special.cs.selector), general.rip],
    ...(event.errorCode === undefined ? [] : [BigInt(event.errorCode)]),
  ];
  let rsp = newStack & ~15n;
  for (const value of frame) {
    rsp = BigInt.asUintN(64, rsp - 8n);
    if (!isCanonical(rsp)) throw new GuestFault(VECTOR.SS, external ? 1 : 0);
    memory.write(rsp, 8, value, privilege === 3 ? 'user' : 'supervisor');
  }
  special.cs = { ...code, selector: (gate.selector & 0xfffc) | privilege, dpl: privilege };
  if (privilege !== cpl) special.ss = nullStackSegment(privilege);
  general.rsp = rsp;
  general.rip = gate.offset;
  general.rflags &= ~(RFLAGS.TF | RFLAGS.NT | RFLAGS.RF | RFLAGS.VM);
  if (gate.type === INTERRUPT_GATE) general.rflags &= ~RFLAGS.IF;
}

/** Faults resume with RF set, so that a breakpoint at the instruction does not come again (§6.8.3 "Masking Instruction Breakpoints"). */
function savedFlags({ general }: Processor, { source, vector }: GuestEvent): bigint {
  return source === 'exception' && vector !== VECTOR.DB ? general.rflags | RFLAGS.RF : general.rflags;
}

const is64Bit = ({ long, defaultBig }: Segment): boolean => long && !defaultBig;

function stackFor(
  { general, special, memory }: Processor,
  { stackTable }: Gate,
  privilege: number,
  cpl: number,
  external: boolean,
): bigint {
  if (stackTable === 0 && privilege === cpl) return general.rsp;
  const offset = stackTable === 0 ? TSS_RSP0 + privilege * 8 : TSS_IST1 + (stackTable - 1) * 8;
  const { tr } = special;
  if (offset + 7 > tr.limit) throw new GuestFault(VECTOR.TS, selectorError(tr.selector, external));
  const rsp = memory.read(tr.base + BigInt(offset), 8, 'system');
  if (!isCanonical(rsp)) throw new GuestFault(VECTOR.SS, external ? 1 : 0);
  return rsp;
}
