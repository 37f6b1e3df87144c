/** Code segments as targets of transfers (Intel SDM Vol. 3A §5.8 "Privilege Level Checking When Transferring Program Control Between Code Segments"). */
import type { Segment } from '@vireo/hypervisor';
import { isCode, isConforming } from './descriptor.ts';
import { GuestFault, generalProtection, selectorError, VECTOR } from './guest-fault.ts';
import { virtual8086Segment } from './load-segment.ts';
import { isCanonical, operatingMode, type Processor, privilegeLevel } from './processor.ts';

/** In IA-32e mode: 64-bit code, of which the D flag must be clear. */
export const is64BitCode = (processor: Processor, code: Segment): boolean =>
  code.long && operatingMode(processor) === 'long';

/** @throws GuestFault #GP or #NP when it is no code for this mode, or not present */
export function requireCode(processor: Processor, segment: Segment, isAllowed: boolean): void {
  const error = selectorError(segment.selector, false);
  const isBoth = is64BitCode(processor, segment) && segment.defaultBig;
  if (!isCode(segment) || isBoth || !isAllowed) throw generalProtection(error);
  if (!segment.present) throw new GuestFault(VECTOR.NP, error);
}

/** JMP and CALL straight to code: at the same privilege only (§5.8.1 "Direct Calls or Jumps to Code Segments"). @throws GuestFault */
export function requireDirectTarget(processor: Processor, segment: Segment): void {
  const cpl = privilegeLevel(processor);
  const isSame = (segment.selector & 3) <= cpl && segment.dpl === cpl;
  requireCode(processor, segment, isConforming(segment) ? segment.dpl <= cpl : isSame);
}

/** @throws GuestFault #GP, when there is no code at the offset */
export function requireOffset(processor: Processor, code: Segment, offset: bigint, errorCode = 0): void {
  const isInside = is64BitCode(processor, code) ? isCanonical(offset) : offset <= BigInt(code.limit >>> 0);
  if (!isInside) throw generalProtection(errorCode);
}

/** CS and RIP, after all checks. CS's RPL is the privilege level that the code runs at. */
export function enterCode(
  { general, special }: Processor,
  code: Segment,
  privilege: number,
  rip: bigint,
): void {
  special.cs = { ...code, selector: (code.selector & 0xfffc) | privilege, dpl: privilege };
  general.rip = rip;
}

/** CS of real-address and virtual-8086 mode, which have no descriptors. */
export function paragraphCode(processor: Processor, selector: number): Segment {
  if (operatingMode(processor) === 'virtual-8086') return virtual8086Segment(selector);
  return { ...processor.special.cs, selector, base: BigInt(selector * 16) };
}
