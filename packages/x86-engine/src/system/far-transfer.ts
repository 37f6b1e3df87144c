/** Far JMP and CALL (Intel SDM Vol. 2A "JMP—Jump", "CALL—Call Procedure"). */
import { readCallGate, transferThroughGate } from './call-gate.ts';
import { enterCode, paragraphCode, requireDirectTarget, requireOffset } from './code-target.ts';
import { isNull, markAccessed, readSegment } from './descriptor.ts';
import { generalProtection, selectorError } from './guest-fault.ts';
import { operatingMode, privilegeLevel } from './processor.ts';
import { type FarPointer, readFarPointer } from './segment-registers.ts';
import { Stack } from './stack.ts';
import type { Operands, Operation, Operations, SystemProcessor } from './system-processor.ts';
import { switchTask } from './task-switch.ts';

const CALL_GATES: readonly number[] = [4, 12];
const LONG_CALL_GATE = 12;
const TASK_GATE = 5;
const TSS_TYPES: readonly number[] = [1, 3, 9, 11];

type Kind = 'jump' | 'call';

function transfer(
  processor: SystemProcessor,
  { offset, selector }: FarPointer,
  kind: Kind,
  operandBits: Operands['operandBits'],
): void {
  const mode = operatingMode(processor);
  if (mode === 'real' || mode === 'virtual-8086') {
    const code = paragraphCode(processor, selector);
    requireOffset(processor, code, offset);
    if (kind === 'call') pushReturnAddress(processor, operandBits);
    processor.special.cs = code;
    processor.general.rip = offset;
    return;
  }
  if (isNull(selector)) throw generalProtection();
  const segment = readSegment(processor, selector);
  if (!segment.nonSystem) {
    transferToSystemSegment(processor, selector, segment.type, kind);
    return;
  }
  requireDirectTarget(processor, segment);
  requireOffset(processor, segment, offset);
  const code = markAccessed(processor, segment);
  if (kind === 'call') pushReturnAddress(processor, operandBits);
  enterCode(processor, code, privilegeLevel(processor), offset);
}

function pushReturnAddress(processor: SystemProcessor, operandBits: number): void {
  const { general, special } = processor;
  const stack = Stack.current(processor);
  stack.pushAll([BigInt(special.cs.selector), general.rip], (operandBits / 8) as 2 | 4 | 8);
  general.rsp = stack.pointer;
}

function transferToSystemSegment(
  processor: SystemProcessor,
  selector: number,
  type: number,
  kind: Kind,
): void {
  const isLong = operatingMode(processor) === 'long';
  if (isLong ? type === LONG_CALL_GATE : CALL_GATES.includes(type))
    transferThroughGate(processor, selector, kind);
  else if (!isLong && type === TASK_GATE)
    switchTask(processor, readCallGate(processor, selector).selector, { kind });
  else if (!isLong && TSS_TYPES.includes(type)) {
    const { dpl } = readSegment(processor, selector);
    const isAllowed = dpl >= Math.max(privilegeLevel(processor), selector & 3);
    if (!isAllowed) throw generalProtection(selectorError(selector, false));
    switchTask(processor, selector, { kind });
  } else throw generalProtection(selectorError(selector, false));
}

/** In the instruction: the selector above 32 bits of offset. */
const direct =
  (kind: Kind): Operation =>
  (processor, { a, operandBits }) => {
    const offset = BigInt.asUintN(operandBits === 16 ? 16 : 32, a);
    transfer(processor, { offset, selector: Number((a >> 32n) & 0xffffn) }, kind, operandBits);
  };

const indirect =
  (kind: Kind): Operation =>
  (processor, { a, operandBits }) => {
    transfer(processor, readFarPointer(processor, a, operandBits), kind, operandBits);
  };

export const FAR_TRANSFERS = {
  ...{ farJump: direct('jump'), farCall: direct('call') },
  ...{ farJumpIndirect: indirect('jump'), farCallIndirect: indirect('call') },
} satisfies Partial<Operations>;
