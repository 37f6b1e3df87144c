/** Events in protected mode, from virtual-8086 mode too (Intel SDM Vol. 3A §6.12 "Exception and Interrupt Handling"). Task gates are not done. */
import type { Segment } from '@vireo/hypervisor';
import { isConforming, isNull, readStackSegment } from './descriptor.ts';
import type { GuestEvent } from './guest-event.ts';
import { GuestFault, selectorError, VECTOR } from './guest-fault.ts';
import { readGate, readHandlerSegment } from './handler.ts';
import { operatingMode, type Processor, privilegeLevel, RFLAGS } from './processor.ts';

/** Interrupt and trap gates, of 16 bits and of 32. */
const PROTECTED_MODE_GATES = { gateBytes: 8, types: [6, 7, 14, 15] } as const;
const IS_TRAP = 1;
const IS_32_BIT = 8;
const TSS_32_BIT = 8;

interface Stack {
  readonly segment: Segment;
  readonly pointer: bigint;
}

export function deliverInProtectedMode(processor: Processor, event: GuestEvent): void {
  const { general, special, memory } = processor;
  const external = event.source !== 'software';
  const cpl = privilegeLevel(processor);
  const gate = readGate(processor, event, cpl, PROTECTED_MODE_GATES);
  const fromVirtual8086 = operatingMode(processor) === 'virtual-8086';
  const code = readHandlerSegment(processor, gate, { cpl, external, isSuitable: () => true });
  if (gate.offset > BigInt(code.limit)) throw new GuestFault(VECTOR.GP, external ? 1 : 0);
  const privilege = isConforming(code) ? cpl : code.dpl;
  if (fromVirtual8086 && privilege !== 0)
    throw new GuestFault(VECTOR.GP, selectorError(gate.selector, external));
  const switches = privilege !== cpl;
  const stack = switches
    ? readStack(processor, privilege, external)
    : { segment: special.ss, pointer: general.rsp };
  const lengthBytes = (gate.type & IS_32_BIT) !== 0 ? 4 : 2;
  const mask = stack.segment.defaultBig ? 0xffff_ffffn : 0xffffn;
  let pointer = stack.pointer & mask;
  for (const value of frameOf(processor, event, { switches, fromVirtual8086 })) {
    pointer = (pointer - BigInt(lengthBytes)) & mask;
    const gva = (stack.segment.base + pointer) & 0xffff_ffffn;
    memory.write(
      gva,
      lengthBytes,
      BigInt.asUintN(lengthBytes * 8, value),
      privilege === 3 ? 'user' : 'supervisor',
    );
  }
  if (switches) special.ss = stack.segment;
  general.rsp = (general.rsp & ~mask & 0xffff_ffffn) | pointer;
  if (fromVirtual8086)
    for (const name of ['ds', 'es', 'fs', 'gs'] as const) special[name] = unusable(special[name]);
  special.cs = { ...code, selector: (gate.selector & 0xfffc) | privilege };
  general.rip = lengthBytes === 4 ? gate.offset : gate.offset & 0xffffn;
  general.rflags &= ~(RFLAGS.TF | RFLAGS.NT | RFLAGS.RF | RFLAGS.VM);
  if ((gate.type & IS_TRAP) === 0) general.rflags &= ~RFLAGS.IF;
}

function frameOf(
  { general, special }: Processor,
  { errorCode }: GuestEvent,
  { switches, fromVirtual8086 }: { switches: boolean; fromVirtual8086: boolean },
): bigint[] {
  const selectors = (names: readonly ('gs' | 'fs' | 'ds' | 'es' | 'ss')[]) =>
    names.map((name) => BigInt(special[name].selector));
  return [
    ...(fromVirtual8086 ? selectors(['gs', 'fs', 'ds', 'es']) : []),
    ...(switches ? [...selectors(['ss']), general.rsp] : []),
    ...[general.rflags, BigInt(special.cs.selector), general.rip],
    ...(errorCode === undefined ? [] : [BigInt(errorCode)]),
  ];
}

/** SS and ESP of a privilege level, from the TSS (§7.2.1 "Task-State Segment (TSS)"). */
function readStack(processor: Processor, privilege: number, external: boolean): Stack {
  const { special, memory } = processor;
  const { tr } = special;
  const is32 = (tr.type & TSS_32_BIT) !== 0;
  const offset = is32 ? 4 + privilege * 8 : 2 + privilege * 4;
  const entryBytes = is32 ? 6 : 4;
  if (offset + entryBytes - 1 > tr.limit)
    throw new GuestFault(VECTOR.TS, selectorError(tr.selector, external));
  const gva = tr.base + BigInt(offset);
  const pointer = memory.read(gva, is32 ? 4 : 2, 'system');
  const selector = Number(memory.read(gva + (is32 ? 4n : 2n), 2, 'system'));
  if (isNull(selector)) throw new GuestFault(VECTOR.TS, external ? 1 : 0);
  const segment = readStackSegment(processor, selector, privilege, { external, fault: VECTOR.TS });
  return { segment, pointer };
}

function unusable(segment: Segment): Segment {
  return { ...segment, selector: 0, unusable: true };
}
