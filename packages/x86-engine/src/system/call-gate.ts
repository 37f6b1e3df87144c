/** JMP and CALL through call gates (Intel SDM Vol. 3A §5.8.3 "Call Gates", §5.8.3.1 "IA-32e Mode Call Gates"). */
import type { Segment } from '@vireo/hypervisor';
import { enterCode, requireCode, requireOffset } from './code-target.ts';
import {
  descriptorGva,
  type Gate,
  gateOf,
  isConforming,
  isNull,
  markAccessed,
  readSegment,
} from './descriptor.ts';
import { GuestFault, generalProtection, selectorError, VECTOR } from './guest-fault.ts';
import { operatingMode, type Processor, privilegeLevel } from './processor.ts';
import { Stack } from './stack.ts';
import { innerStack } from './task-stack.ts';

const IS_32_BIT = 8;
/** In the upper half: must be 0. */
const UPPER_TYPE_MASK = 0x1f00n << 32n;

/** @throws GuestFault #GP or #NP, of the gate */
export function readCallGate(processor: Processor, selector: number): Gate {
  const isLong = operatingMode(processor) === 'long';
  const error = selectorError(selector, false);
  const gva = descriptorGva(selector, processor, isLong ? 16 : 8);
  if (gva === undefined) throw generalProtection(error);
  const high = isLong ? processor.memory.read(BigInt.asUintN(64, gva + 8n), 8, 'system') : 0n;
  const gate = gateOf(processor.memory.read(gva, 8, 'system'), high);
  const isOpen = gate.dpl >= Math.max(privilegeLevel(processor), selector & 3);
  if (!isOpen || (high & UPPER_TYPE_MASK) !== 0n) throw generalProtection(error);
  if (!gate.present) throw new GuestFault(VECTOR.NP, error);
  return gate;
}

export function transferThroughGate(processor: Processor, selector: number, kind: 'jump' | 'call'): void {
  const gate = readCallGate(processor, selector);
  const code = gateCode(processor, gate, kind);
  const isLong = operatingMode(processor) === 'long';
  const lengthBytes = isLong ? 8 : (gate.type & IS_32_BIT) !== 0 ? 4 : 2;
  const offset = lengthBytes === 2 ? gate.offset & 0xffffn : gate.offset;
  const cpl = privilegeLevel(processor);
  const privilege = isConforming(code) ? cpl : code.dpl;
  requireOffset(processor, code, offset);
  if (kind === 'call') call(processor, { gate, privilege, cpl, lengthBytes });
  enterCode(processor, markAccessed(processor, code), privilege, offset);
}

/** A jump stays at its privilege; a call may go inwards. */
function gateCode(processor: Processor, { selector }: Gate, kind: 'jump' | 'call'): Segment {
  if (isNull(selector)) throw generalProtection();
  const code = readSegment(processor, selector);
  const cpl = privilegeLevel(processor);
  const goesInwards = kind === 'call' || isConforming(code);
  const isLong = operatingMode(processor) === 'long';
  const isAllowed = (goesInwards ? code.dpl <= cpl : code.dpl === cpl) && (!isLong || code.long);
  requireCode(processor, code, isAllowed);
  return code;
}

interface GateCall {
  readonly gate: Gate;
  readonly privilege: number;
  readonly cpl: number;
  readonly lengthBytes: 2 | 4 | 8;
}

function call(processor: Processor, { gate, privilege, cpl, lengthBytes }: GateCall): void {
  const { general, special } = processor;
  const returnAddress = [BigInt(special.cs.selector), general.rip];
  if (privilege === cpl) {
    const stack = Stack.current(processor);
    stack.pushAll(returnAddress, lengthBytes);
    general.rsp = stack.pointer;
    return;
  }
  const old = Stack.current(processor);
  const stack = innerStack(processor, privilege, false);
  const oldStack = [BigInt(special.ss.selector), general.rsp];
  stack.pushAll(
    [...oldStack, ...parametersOf(processor, old, gate, lengthBytes), ...returnAddress],
    lengthBytes,
  );
  special.ss = lengthBytes === 8 ? stack.segment : markAccessed(processor, stack.segment);
  general.rsp = stack.pointer;
}

/** From the last to the first, so that they lie as they did. IA-32e mode copies none. */
function parametersOf(
  processor: Processor,
  old: Stack,
  { parameters }: Gate,
  lengthBytes: 2 | 4 | 8,
): bigint[] {
  if (operatingMode(processor) === 'long') return [];
  return Array.from({ length: parameters }, (_, place) =>
    old.peek((parameters - 1 - place) * lengthBytes, lengthBytes),
  );
}
