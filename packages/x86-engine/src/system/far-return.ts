/** Far RET (Intel SDM Vol. 2B "RET—Return From Procedure"). */
import { is64BitCode, paragraphCode, requireOffset } from './code-target.ts';
import { enterReturn, returnCode, returnStack } from './outer-return.ts';
import { operatingMode, privilegeLevel } from './processor.ts';
import { Stack } from './stack.ts';
import type { Operation, Operations, SystemProcessor } from './system-processor.ts';

/** a: how many bytes of parameters go, too; from both stacks, when there are two. */
const farReturn: Operation = (processor, { a, operandBits }) => {
  const parametersBytes = Number(a & 0xffffn);
  const lengthBytes = (operandBits / 8) as 2 | 4 | 8;
  const mode = operatingMode(processor);
  const stack = Stack.current(processor);
  const rip = stack.pop(lengthBytes);
  const selector = Number(stack.pop(lengthBytes) & 0xffffn);
  stack.release(parametersBytes);
  if (mode !== 'real' && mode !== 'virtual-8086') {
    returnToSegment(processor, { stack, rip, selector, lengthBytes, parametersBytes });
    return;
  }
  const code = paragraphCode(processor, selector);
  requireOffset(processor, code, rip);
  processor.special.cs = code;
  processor.general.rip = rip;
  processor.general.rsp = stack.pointer;
};

interface FarReturn {
  /** Above return address and parameters. */
  readonly stack: Stack;
  readonly rip: bigint;
  readonly selector: number;
  readonly lengthBytes: 2 | 4 | 8;
  readonly parametersBytes: number;
}

function returnToSegment(processor: SystemProcessor, frame: FarReturn): void {
  const { stack, rip, selector, lengthBytes, parametersBytes } = frame;
  const code = returnCode(processor, selector);
  requireOffset(processor, code, rip);
  const privilege = selector & 3;
  if (privilege === privilegeLevel(processor)) {
    enterReturn(processor, { code, stack: processor.special.ss, rip, rsp: stack.pointer });
    return;
  }
  const pointer = stack.pop(lengthBytes);
  const stackSelector = Number(stack.pop(lengthBytes) & 0xffffn);
  const segment = returnStack(processor, stackSelector, privilege, code);
  const is64Bit = is64BitCode(processor, code);
  const outer = new Stack(processor, { segment, pointer, is64Bit, privilege: 'user', errorCode: 0 });
  outer.release(parametersBytes);
  enterReturn(processor, { code, stack: segment, rip, rsp: outer.pointer });
}

export const FAR_RETURN = { farReturn } satisfies Partial<Operations>;
