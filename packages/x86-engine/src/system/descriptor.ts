/** Descriptors as they lie in the GDT, LDT and IDT (Intel SDM Vol. 3A §3.4.5 "Segment Descriptors", §6.11 "IDT Descriptors"). */
import type { DescriptorTable, Segment } from '@vireo/hypervisor';
import { GuestFault, selectorError, VECTOR } from './guest-fault.ts';
import type { Processor } from './processor.ts';

const TABLE_INDICATOR = 4;
const WRITABLE_DATA = 2;

/** The segment that 8 bytes of a descriptor table describe. */
export function segmentOf(descriptor: bigint, selector: number): Segment {
  // In two halves of 32 bits: bigint arithmetic on each field would be most of what an IRET costs.
  const low = Number(descriptor & 0xffff_ffffn);
  const high = Number(descriptor >> 32n);
  const has = (bit: number) => ((high >>> bit) & 1) === 1;
  const granularity = has(23);
  const limit = (low & 0xffff) | (high & 0xf_0000);
  const base = (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff00_0000);
  return {
    selector,
    base: BigInt(base >>> 0),
    limit: granularity ? limit * 4096 + 4095 : limit,
    type: (high >>> 8) & 15,
    nonSystem: has(12),
    dpl: (high >>> 13) & 3,
    present: has(15),
    available: has(20),
    long: has(21),
    defaultBig: has(22),
    granularity,
    unusable: false,
  };
}

export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;
export const isCode = ({ nonSystem, type }: Segment): boolean => nonSystem && (type & 8) !== 0;
/** Of code: it runs at the caller's privilege. */
export const isConforming = ({ type }: Segment): boolean => (type & 4) !== 0;

/** Where a selector's descriptor is; `undefined` beyond the table's limit, or in an LDT that there is not. */
export function descriptorGva(
  selector: number,
  { special }: Processor,
  lengthBytes: 8 | 16 = 8,
): bigint | undefined {
  const inLdt = (selector & TABLE_INDICATOR) !== 0;
  if (inLdt && special.ldt.unusable) return undefined;
  const table: DescriptorTable = inLdt ? special.ldt : special.gdt;
  const offset = selector & 0xfff8;
  return offset + lengthBytes - 1 <= table.limit
    ? BigInt.asUintN(64, table.base + BigInt(offset))
    : undefined;
}

/** The descriptor's 8 bytes, for instructions that only ask. Undefined: the table has none */
export function findDescriptor(processor: Processor, selector: number): bigint | undefined {
  const gva = isNull(selector) ? undefined : descriptorGva(selector, processor);
  return gva === undefined ? undefined : processor.memory.read(gva, 8, 'system');
}

/** The accessed flag, where it is not set yet (§3.4.5.1 "Code- and Data-Segment Descriptor Types"). */
export function markAccessed(processor: Processor, segment: Segment): Segment {
  if ((segment.type & 1) !== 0) return segment;
  changeType(processor, segment.selector, { set: 1 });
  return { ...segment, type: segment.type | 1 };
}

/** Byte 5 of a descriptor has the type. */
export function changeType(
  { special, memory }: Processor,
  selector: number,
  { set = 0, clear = 0 }: { set?: number; clear?: number },
): void {
  const table = (selector & TABLE_INDICATOR) !== 0 ? special.ldt : special.gdt;
  const gva = BigInt.asUintN(64, table.base + BigInt((selector & 0xfff8) + 5));
  memory.write(gva, 1, (memory.read(gva, 1, 'system') & BigInt(~clear & 0xff)) | BigInt(set), 'system');
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
  /** Of a call gate outside of long mode: how many parameters, each as wide as the gate is, go to the new stack. */
  readonly parameters: number;
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
    parameters: Number(bits(32, 5)),
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
