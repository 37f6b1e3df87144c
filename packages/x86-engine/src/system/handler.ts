/** What both protected mode and long mode do to find an event's handler (Intel SDM Vol. 3A §6.12 "Exception and Interrupt Handling"). */
import type { Segment } from '@vireo/hypervisor';
import { type Gate, gateOf, isCode, isNull, readSegment } from './descriptor.ts';
import type { GuestEvent } from './guest-event.ts';
import { GuestFault, selectorError, VECTOR, vectorError } from './guest-fault.ts';
import { type Processor, RFLAGS } from './processor.ts';

/** What the gates of a mode look like. */
export interface GateFormat {
  readonly gateBytes: 8 | 16;
  /** Descriptor types. */
  readonly types: readonly number[];
}

/** The event's gate in the IDT. @throws GuestFault */
export function readGate(
  { special, memory }: Processor,
  { vector, source }: GuestEvent,
  cpl: number,
  { gateBytes, types }: GateFormat,
): Gate {
  const error = vectorError(vector, source !== 'software');
  const offset = vector * gateBytes;
  if (offset + gateBytes - 1 > special.idt.limit) throw new GuestFault(VECTOR.GP, error);
  const gva = (at: number) => BigInt.asUintN(64, special.idt.base + BigInt(offset + at));
  const low = memory.read(gva(0), 8, 'system');
  const gate = gateOf(low, gateBytes === 16 ? memory.read(gva(8), 8, 'system') : 0n);
  if (!types.includes(gate.type)) throw new GuestFault(VECTOR.GP, error);
  if (source === 'software' && gate.dpl < cpl) throw new GuestFault(VECTOR.GP, error);
  if (!gate.present) throw new GuestFault(VECTOR.NP, error);
  return gate;
}

/** The gate's code segment; `isSuitable` says what the mode asks of it besides. @throws GuestFault */
export function readHandlerSegment(
  processor: Processor,
  { selector }: Gate,
  { cpl, external, isSuitable }: { cpl: number; external: boolean; isSuitable: (code: Segment) => boolean },
): Segment {
  if (isNull(selector)) throw new GuestFault(VECTOR.GP, external ? 1 : 0);
  const code = readSegment(processor, selector, { external });
  const error = selectorError(selector, external);
  if (!isCode(code) || code.dpl > cpl || !isSuitable(code)) throw new GuestFault(VECTOR.GP, error);
  if (!code.present) throw new GuestFault(VECTOR.NP, error);
  return code;
}

/** Faults resume with RF set, so that a breakpoint at the instruction does not come again (§6.8.3 "Masking Instruction Breakpoints"). */
export function savedFlags({ general }: Processor, { source, vector }: GuestEvent): bigint {
  const isFault = source === 'exception' && vector !== VECTOR.DB;
  return isFault ? general.rflags | RFLAGS.RF : general.rflags;
}
