/** A stack as slow paths push and pop it: within its segment, and as wide as its addresses are (Intel SDM Vol. 1 §6.2 "Stacks"). */
import type { Segment } from '@vireo/hypervisor';
import { GuestFault, VECTOR } from './guest-fault.ts';
import { accessPrivilege, is64BitMode, isCanonical, type Privilege, type Processor } from './processor.ts';

const EXPANDS_DOWN = 4;
const CODE = 8;
const PAGE_SHIFT = 12n;

export interface StackPlace {
  readonly segment: Segment;
  readonly pointer: bigint;
  /** The segment counts for nothing. */
  readonly is64Bit: boolean;
  readonly privilege: Privilege;
  /** What #SS says when an access is outside of the segment. */
  readonly errorCode: number;
}

/** Registers stay until somebody takes the pointer over: `general.rsp = stack.pointer`. */
export class Stack {
  readonly #processor: Processor;
  readonly #place: StackPlace;
  readonly #mask: bigint;
  #pointer: bigint;

  constructor(processor: Processor, place: StackPlace) {
    this.#processor = processor;
    this.#place = place;
    this.#mask = place.is64Bit ? (1n << 64n) - 1n : place.segment.defaultBig ? 0xffff_ffffn : 0xffffn;
    this.#pointer = place.pointer;
  }

  /** The one in use. */
  static current(processor: Processor): Stack {
    const { general, special } = processor;
    return new Stack(processor, {
      ...{ segment: special.ss, pointer: general.rsp, is64Bit: is64BitMode(processor) },
      ...{ privilege: accessPrivilege(processor), errorCode: 0 },
    });
  }

  /** What RSP is to be: a stack of 16 bits leaves the upper bits of ESP. */
  get pointer(): bigint {
    return this.#pointer;
  }

  get segment(): Segment {
    return this.#place.segment;
  }

  /** Throws what pushes of so many values would, from the top down; each page is asked for once. @throws GuestFault */
  reserve(count: number, lengthBytes: 2 | 4 | 8): void {
    let checkedPage: bigint | undefined;
    for (let place = 1; place <= count; place++) {
      const offset = (this.#pointer - BigInt(place * lengthBytes)) & this.#mask;
      const gva = this.#gvaOf(offset, lengthBytes);
      if (gva >> PAGE_SHIFT === checkedPage) continue;
      this.#processor.memory.check(gva, lengthBytes, 'write', this.#place.privilege);
      checkedPage = gva >> PAGE_SHIFT;
    }
  }

  push(value: bigint, lengthBytes: 2 | 4 | 8): void {
    const offset = (this.#pointer - BigInt(lengthBytes)) & this.#mask;
    const gva = this.#gvaOf(offset, lengthBytes);
    const { memory } = this.#processor;
    memory.write(gva, lengthBytes, BigInt.asUintN(lengthBytes * 8, value), this.#place.privilege);
    this.release(-lengthBytes);
  }

  /** All of them or, when one faults, none. */
  pushAll(values: readonly bigint[], lengthBytes: 2 | 4 | 8): void {
    this.reserve(values.length, lengthBytes);
    for (const value of values) this.push(value, lengthBytes);
  }

  pop(lengthBytes: 2 | 4 | 8): bigint {
    const value = this.peek(0, lengthBytes);
    this.release(lengthBytes);
    return value;
  }

  /** What is so many bytes above the pointer. */
  peek(distanceBytes: number, lengthBytes: 2 | 4 | 8): bigint {
    return this.readAt((this.#pointer + BigInt(distanceBytes)) & this.#mask, lengthBytes);
  }

  /** At an offset in the segment, of which the bits that the stack's addresses have count. */
  readAt(offset: bigint, lengthBytes: 2 | 4 | 8): bigint {
    const gva = this.#gvaOf(offset & this.#mask, lengthBytes);
    return this.#processor.memory.read(gva, lengthBytes, this.#place.privilege);
  }

  /** Throws what a write of what is on top would. @throws GuestFault */
  checkTop(lengthBytes: number): void {
    const gva = this.#gvaOf(this.#pointer & this.#mask, lengthBytes);
    this.#processor.memory.check(gva, lengthBytes, 'write', this.#place.privilege);
  }

  /** Moves the pointer; negative: down. */
  release(lengthBytes: number): void {
    this.#pointer = this.after(lengthBytes);
  }

  /** Where the pointer would be after that. */
  after(lengthBytes: number): bigint {
    const offset = (this.#pointer + BigInt(lengthBytes)) & this.#mask;
    return this.#mask === 0xffffn ? (this.#pointer & ~0xffffn) | offset : offset;
  }

  #gvaOf(offset: bigint, lengthBytes: number): bigint {
    const { segment, is64Bit, errorCode } = this.#place;
    const last = offset + BigInt(lengthBytes) - 1n;
    if (is64Bit) {
      if (!isCanonical(offset) || !isCanonical(last)) throw new GuestFault(VECTOR.SS, errorCode);
      return offset;
    }
    if (segment.unusable || !isInside(segment, offset, last)) throw new GuestFault(VECTOR.SS, errorCode);
    return (segment.base + offset) & 0xffff_ffffn;
  }
}

/** Intel SDM Vol. 3A §5.3 "Limit Checking". */
function isInside({ nonSystem, type, limit, defaultBig }: Segment, offset: bigint, last: bigint): boolean {
  const expandsDown = nonSystem && (type & (CODE | EXPANDS_DOWN)) === EXPANDS_DOWN;
  if (!expandsDown) return last <= BigInt(limit);
  return offset > BigInt(limit) && last <= (defaultBig ? 0xffff_ffffn : 0xffffn);
}
