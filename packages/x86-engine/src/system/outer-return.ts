/** What far RET and IRET share: returns to code of the same privilege level or an outer one (Intel SDM Vol. 3A §5.8.6 "Returning from a Called Procedure"). */
import type { Segment } from '@vireo/hypervisor';
import { enterCode, requireCode } from './code-target.ts';
import { isCode, isConforming, isNull, markAccessed, readSegment, readStackSegment } from './descriptor.ts';
import { generalProtection } from './guest-fault.ts';
import { nullStackSegment, operatingMode, type Processor, privilegeLevel } from './processor.ts';

/** @throws GuestFault #GP or #NP */
export function returnCode(processor: Processor, selector: number): Segment {
  if (isNull(selector)) throw generalProtection();
  const code = readSegment(processor, selector);
  const privilege = selector & 3;
  const isAllowed = isConforming(code) ? code.dpl <= privilege : code.dpl === privilege;
  requireCode(processor, code, isAllowed && privilege >= privilegeLevel(processor));
  return code;
}

/** SS may be null in 64-bit code that is not at level 3. @throws GuestFault #GP or #SS */
export function returnStack(
  processor: Processor,
  selector: number,
  privilege: number,
  code: Segment,
): Segment {
  if (!isNull(selector)) return readStackSegment(processor, selector, privilege);
  const isAllowed = code.long && privilege < 3 && operatingMode(processor) === 'long';
  if (!isAllowed || (selector & 3) !== privilege) throw generalProtection();
  return nullStackSegment(privilege);
}

export interface ReturnTarget {
  readonly code: Segment;
  readonly stack: Segment;
  readonly rip: bigint;
  readonly rsp: bigint;
}

/** After all checks: changes the registers. */
export function enterReturn(processor: Processor, { code, stack, rip, rsp }: ReturnTarget): void {
  const { general, special } = processor;
  const cpl = privilegeLevel(processor);
  const privilege = code.selector & 3;
  const marked = markAccessed(processor, code);
  const markedStack = isNull(stack.selector) || stack === special.ss ? stack : markAccessed(processor, stack);
  enterCode(processor, marked, privilege, rip);
  special.ss = markedStack;
  general.rsp = stack.defaultBig || code.long ? rsp : (general.rsp & ~0xffffn) | (rsp & 0xffffn);
  if (privilege !== cpl) dropInnerSegments(processor, privilege);
}

/** What the outer level may not use, it must not find loaded. */
function dropInnerSegments({ special }: Processor, privilege: number): void {
  for (const name of ['es', 'fs', 'gs', 'ds'] as const) {
    const segment = special[name];
    const mayStay = isCode(segment) && isConforming(segment);
    if (!mayStay && segment.dpl < privilege) special[name] = { ...segment, selector: 0, unusable: true };
  }
}
