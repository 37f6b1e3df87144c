/** Instructions that load and store segment registers, LDTR and TR (Intel SDM Vol. 3A §3.4.3 "Segment Registers"). */
import type { SegmentName } from '@vireo/hypervisor';
import { undefinedOpcode } from './guest-fault.ts';
import {
  type DataSegmentName,
  loadDataSegment,
  loadLdt as loadLdtRegister,
  loadTaskRegister as loadTr,
} from './load-segment.ts';
import { requireProtectedMode, requireSupervisor, requireUserModeInstructions } from './privilege-checks.ts';
import { accessPrivilege } from './processor.ts';
import type { Operation, Operations, SystemProcessor } from './system-processor.ts';

/** By the number that encodes them. */
const NAMES: readonly Exclude<SegmentName, 'tr' | 'ldt'>[] = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];

function nameOf(number: bigint): Exclude<SegmentName, 'tr' | 'ldt'> {
  const name = NAMES[Number(number)];
  if (name === undefined) throw undefinedOpcode();
  return name;
}

/** CS is loaded by far transfers only. */
function loadableName(number: bigint): DataSegmentName {
  const name = nameOf(number);
  if (name === 'cs') throw undefinedOpcode();
  return name;
}

const readSelector: Operation = ({ special }, { a }) => BigInt(special[nameOf(a)].selector);

/** Intel SDM Vol. 2B "MOV—Move", "POP—Pop a Value From the Stack": after SS comes an instruction without interrupts. */
const loadSegment: Operation = (processor, { a, b }) => {
  const name = loadableName(a);
  loadDataSegment(processor, name, Number(b & 0xffffn));
  if (name === 'ss') processor.blockInterrupts('mov-ss');
};

export interface FarPointer {
  readonly offset: bigint;
  readonly selector: number;
}

/** An offset of the operand size, and behind it a selector. @throws GuestFault */
export function readFarPointer(
  processor: SystemProcessor,
  gva: bigint,
  operandBits: 16 | 32 | 64,
): FarPointer {
  const { memory } = processor;
  const privilege = accessPrivilege(processor);
  const offsetBytes = (operandBits / 8) as 2 | 4 | 8;
  const offset = memory.read(gva, offsetBytes, privilege);
  const selector = memory.read(BigInt.asUintN(64, gva + BigInt(offsetBytes)), 2, privilege);
  return { offset, selector: Number(selector) };
}

/** Intel SDM Vol. 2A "LDS/LES/LFS/LGS/LSS—Load Far Pointer". */
const loadFarPointer: Operation = (processor, { a, b, operandBits }) => {
  const name = loadableName(a);
  const { offset, selector } = readFarPointer(processor, b, operandBits);
  loadDataSegment(processor, name, selector);
  return offset;
};

const loadLdt: Operation = (processor, { a }) => {
  requireProtectedMode(processor);
  requireSupervisor(processor);
  loadLdtRegister(processor, Number(a & 0xffffn));
};

const loadTaskRegister: Operation = (processor, { a }) => {
  requireProtectedMode(processor);
  requireSupervisor(processor);
  loadTr(processor, Number(a & 0xffffn));
};

/** Intel SDM Vol. 2B "SLDT—Store Local Descriptor Table Register", "STR—Store Task Register". */
const store =
  (name: 'ldt' | 'tr'): Operation =>
  (processor) => {
    requireProtectedMode(processor);
    requireUserModeInstructions(processor);
    return BigInt(processor.special[name].selector);
  };

export const SEGMENT_REGISTERS = {
  ...{ readSelector, loadSegment, loadFarPointer, loadLdt, loadTaskRegister },
  ...{ storeLdt: store('ldt'), storeTaskRegister: store('tr') },
} satisfies Partial<Operations>;
