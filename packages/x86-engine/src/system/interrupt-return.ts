/** IRET, IRETD and IRETQ (Intel SDM Vol. 2A "IRET/IRETD/IRETQ—Interrupt Return"). Returns to another task (NT) are not done. */
import type { Segment } from '@vireo/hypervisor';
import { isCode, isConforming, isNull, readSegment, readStackSegment } from './descriptor.ts';
import { GuestFault, selectorError, VECTOR } from './guest-fault.ts';
import {
  isCanonical,
  nullStackSegment,
  operatingMode,
  type Processor,
  privilegeLevel,
  RFLAGS,
} from './processor.ts';

/** What IRET may set: not VM, and IF and IOPL only with the privilege to. */
const ALWAYS = 0x25_4dd5n;

interface Frame {
  readonly rip: bigint;
  readonly cs: number;
  readonly rflags: bigint;
  readonly rsp: bigint;
  readonly ss: number;
}

/** @throws GuestFault; then nothing has changed */
export function interruptReturn(processor: Processor, operandBytes: 2 | 4 | 8): void {
  const mode = operatingMode(processor);
  if (mode === 'real') {
    returnInRealMode(processor, operandBytes === 8 ? 4 : operandBytes);
    return;
  }
  if (mode === 'virtual-8086' || (processor.general.rflags & RFLAGS.NT) !== 0n)
    throw new GuestFault(VECTOR.GP, 0);
  const pops = new Pops(processor, operandBytes);
  const [rip, cs, rflags] = [pops.next(), Number(pops.next() & 0xffffn), pops.next()];
  const code = codeSegment(processor, cs);
  const cpl = privilegeLevel(processor);
  const privilege = cs & 3;
  // In 64-bit mode SS and RSP are always there.
  const isOuter = privilege > cpl || (mode === 'long' && processor.special.cs.long);
  const frame: Frame = { rip, cs, rflags, ...(isOuter ? outerStack(pops) : sameStack(processor, pops)) };
  const stack = isOuter ? stackSegment(processor, frame.ss, privilege, code) : processor.special.ss;
  checkTarget(rip, code, mode === 'long');
  finish(processor, frame, { code, stack, privilege, cpl, operandBytes });
}

const outerStack = (pops: Pops) => ({ rsp: pops.next(), ss: Number(pops.next() & 0xffffn) });
const sameStack = ({ special }: Processor, pops: Pops) => ({ rsp: pops.pointer, ss: special.ss.selector });

function finish(
  { general, special }: Processor,
  { rip, cs, rflags, rsp }: Frame,
  to: { code: Segment; stack: Segment; privilege: number; cpl: number; operandBytes: number },
): void {
  const { code, stack, privilege, cpl, operandBytes } = to;
  const iopl = Number((general.rflags & RFLAGS.IOPL) >> 12n);
  let settable = ALWAYS;
  if (cpl <= iopl) settable |= RFLAGS.IF;
  if (cpl === 0) settable |= RFLAGS.IOPL;
  if (operandBytes === 2) settable &= 0xffffn;
  general.rflags = (general.rflags & ~settable) | (rflags & settable) | 2n;
  special.cs = { ...code, selector: cs, dpl: privilege };
  special.ss = stack;
  general.rip = rip;
  general.rsp = stack.defaultBig || code.long ? rsp : (general.rsp & ~0xffffn) | (rsp & 0xffffn);
  if (privilege === cpl) return;
  // What the outer level may not use, it must not find loaded (§5.8.8 "Returning from a Called Procedure").
  for (const name of ['es', 'fs', 'gs', 'ds'] as const) {
    const segment = special[name];
    const mayStay = isCode(segment) && isConforming(segment);
    if (!mayStay && segment.dpl < privilege) special[name] = { ...segment, selector: 0, unusable: true };
  }
}

/** Reads the stack without moving it. */
class Pops {
  readonly #processor: Processor;
  readonly #bytes: 2 | 4 | 8;
  pointer: bigint;

  constructor(processor: Processor, bytes: 2 | 4 | 8) {
    this.#processor = processor;
    this.#bytes = bytes;
    this.pointer = processor.general.rsp;
  }

  next(): bigint {
    const { special, memory } = this.#processor;
    const isLong = operatingMode(this.#processor) === 'long' && special.cs.long;
    const mask = isLong ? ~0n : special.ss.defaultBig ? 0xffff_ffffn : 0xffffn;
    const offset = this.pointer & mask;
    const gva = isLong ? offset : (special.ss.base + offset) & 0xffff_ffffn;
    const privilege = privilegeLevel(this.#processor) === 3 ? 'user' : 'supervisor';
    const value = memory.read(gva, this.#bytes, privilege);
    this.pointer = BigInt.asUintN(64, (this.pointer & ~mask) | ((offset + BigInt(this.#bytes)) & mask));
    return value;
  }
}

function codeSegment(processor: Processor, selector: number): Segment {
  if (isNull(selector)) throw new GuestFault(VECTOR.GP, 0);
  const code = readSegment(processor, selector);
  const error = selectorError(selector, false);
  const privilege = selector & 3;
  const isAllowed = isConforming(code) ? code.dpl <= privilege : code.dpl === privilege;
  const isBoth = code.long && code.defaultBig && operatingMode(processor) === 'long';
  if (!isCode(code) || privilege < privilegeLevel(processor) || !isAllowed || isBoth)
    throw new GuestFault(VECTOR.GP, error);
  if (!code.present) throw new GuestFault(VECTOR.NP, error);
  return code;
}

function stackSegment(processor: Processor, selector: number, privilege: number, code: Segment): Segment {
  if (isNull(selector)) {
    if (!code.long || privilege === 3 || operatingMode(processor) !== 'long')
      throw new GuestFault(VECTOR.GP, 0);
    return nullStackSegment(privilege);
  }
  return readStackSegment(processor, selector, privilege);
}

function checkTarget(rip: bigint, code: Segment, isLongMode: boolean): void {
  const isInside = isLongMode && code.long ? isCanonical(rip) : rip <= BigInt(code.limit);
  if (!isInside) throw new GuestFault(VECTOR.GP, 0);
}

function returnInRealMode(processor: Processor, operandBytes: 2 | 4): void {
  const { general, special } = processor;
  const pops = new Pops(processor, operandBytes);
  const [rip, cs, rflags] = [pops.next(), Number(pops.next() & 0xffffn), pops.next()];
  if (rip > 0xffffn) throw new GuestFault(VECTOR.GP, 0);
  const settable = (ALWAYS | RFLAGS.IF | RFLAGS.IOPL) & (operandBytes === 2 ? 0xffffn : ~0n);
  general.rflags = (general.rflags & ~settable) | (rflags & settable) | 2n;
  special.cs = { ...special.cs, selector: cs, base: BigInt(cs * 16) };
  general.rip = rip;
  general.rsp = pops.pointer;
}
