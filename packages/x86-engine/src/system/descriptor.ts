/** Descriptors as they lie in the GDT, LDT and IDT (Intel SDM Vol. 3A §3.4.5 "Segment Descriptors", §6.11 "IDT Descriptors"). */
import type { DescriptorTable, Segment } from '@vireo/hypervisor';
import { GuestFault, selectorError, VECTOR } from './guest-fault.ts';
import type { Processor } from './processor.ts';

const TABLE_INDICATOR = 4;
const WRITABLE_DATA = 2;

/** The segment that 8 bytes of a descriptor table describe. */
export function segmentOf(descriptor: bigint, selector: number): Segment {
  const bits = (from: number, count: number) =>
    Number((descriptor >> BigInt(from)) & ((1n << BigInt(count)) - 1n));
  const granularity = bits(55, 1) === 1;
  const limit = bits(0, 16) | (bits(48, 4) << 16);
  return {
    selector,
    base: BigInt(bits(16, 24)) | (BigInt(bits(56, 8)) << 24n),
    limit: granularity ? limit * 4096 + 4095 : limit,
    type: bits(40, 4),
    nonSystem: bits(44, 1) === 1,
    dpl: bits(45, 2),
    present: bits(47, 1) === 1,
    available: bits(52, 1) === 1,
    long: bits(53, 1) === 1,
    defaultBig: bits(54, 1) === 1,
    granularity,
    unusable: false,
  };
}

export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;
export const isCode = ({ nonSystem, type }: Segment): boolean => nonSystem && (type & 8) !== 0;
/** Of code: it runs at the caller's privilege. */
export const isConforming = ({ type }: Segment): boolean => (type & 4) !== 0;

/** Where a selector's descriptor is; `undefined` beyond the table's limit, or in an LDT that there is not. */
function descriptorGva(selector: number, { special }: Processor): bigint | undefined {
  const inLdt = (selector & TABLE_INDICATOR) !== 0;
  if (inLdt && special.ldt.unusable) return undefined;
  const table: DescriptorTable = inLdt ? special.ldt : special.gdt;
  const offset = selector & 0xfff8;
  return offset + 7 <= table.limit ? table.base + BigInt(offset) : undefined;
}

/** Reads a selector's descriptor. @throws GuestFault #GP(selector) when the table has none */
export function readSegment(
  processor: Processor,
  selector: number,
  { external = false, fault = VECTOR.GP as number } = {},
): Segment {
  const gva = descriptorGva(selector, processor);
  if (gva === undefined) throw new GuestFault(fault, selectorError(selector, external));
  return segmentOf(processor.memory.read(gva, 8, 'system'), selector);
}

export interface Gate {
  /** Descriptor type, 4 bits. */
  readonly type: number;
  readonly selector: number;
  readonly offset: bigint;
  readonly dpl: number;
  readonly present: boolean;
  /** Which of the interrupt stacks, 1 to 7; 0: none. In long mode only. */
  readonly stackTable: number;
}

/** `high`: the second half, of long mode's 16 bytes. */
export function gateOf(low: bigint, high: bigint): Gate {
  const bits = (from: number, count: number) => (low >> BigInt(from)) & ((1n << BigInt(count)) - 1n);
  return {
    type: Number(bits(40, 4)),
    selector: Number(bits(16, 16)),
    offset: bits(0, 16) | (bits(48, 16) << 16n) | ((high & 0xffffffffn) << 32n),
    dpl: Number(bits(45, 2)),
    present: bits(47, 1) === 1n,
    stackTable: Number(bits(32, 3)),
  };
}

/**
 * Reads a stack segment for a privilege level. @throws GuestFault: `fault` when it is none for it, #SS when it is not
 * present
 */
export function readStackSegment(
  processor: Processor,
  selector: number,
  privilege: number,
  { external = false, fault = VECTOR.GP as number } = {},
): Segment {
  const segment = readSegment(processor, selector, { external, fault });
  const error = selectorError(selector, external);
  const isWritable = segment.nonSystem && !isCode(segment) && (segment.type & WRITABLE_DATA) !== 0;
  if ((selector & 3) !== privilege || segment.dpl !== privilege || !isWritable)
    throw new GuestFault(fault, error);
  if (!segment.present) throw new GuestFault(VECTOR.SS, error);
  return segment;
}
