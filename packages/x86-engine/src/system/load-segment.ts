/** What loading a segment register checks and does (Intel SDM Vol. 2B "MOV—Move", Vol. 3A §5.6 "Privilege Level Checking when Accessing Data Segments"). */
import type { Segment, SegmentName } from '@vireo/hypervisor';
import { isCode, isConforming, isNull, readSegment, readStackSegment } from './descriptor.ts';
import { GuestFault, selectorError, VECTOR } from './guest-fault.ts';
import { nullStackSegment, operatingMode, type Processor, privilegeLevel } from './processor.ts';

const READABLE_CODE = 2;
const LDT_TYPE = 2;
const AVAILABLE_TSS = 9;
const AVAILABLE_TSS_16 = 1;
const TSS_BUSY = 2;
/** In the upper half of a descriptor of 16 bytes: must be 0 (§3.5.2 "Segment Descriptor Tables in IA-32e Mode"). */
const UPPER_TYPE_MASK = 0x1f00n << 32n;

export type DataSegmentName = Exclude<SegmentName, 'cs' | 'tr' | 'ldt'>;

/** MOV, POP, LDS and the like, into DS, ES, FS, GS or SS. @throws GuestFault; then nothing has changed */
export function loadDataSegment(processor: Processor, name: DataSegmentName, selector: number): void {
  const mode = operatingMode(processor);
  if (mode === 'real' || mode === 'virtual-8086') {
    const segment = processor.special[name];
    processor.special[name] = { ...segment, selector, base: BigInt(selector * 16) };
  } else if (name === 'ss') processor.special.ss = stackSegment(processor, selector);
  else processor.special[name] = dataSegment(processor, selector, name);
}

function dataSegment(processor: Processor, selector: number, name: DataSegmentName): Segment {
  if (isNull(selector)) return { ...processor.special[name], selector, base: 0n, unusable: true };
  const segment = readSegment(processor, selector);
  const error = selectorError(selector, false);
  const privilege = Math.max(privilegeLevel(processor), selector & 3);
  const isReadable = segment.nonSystem && (!isCode(segment) || (segment.type & READABLE_CODE) !== 0);
  const isFree = isCode(segment) && isConforming(segment);
  if (!isReadable || (!isFree && privilege > segment.dpl)) throw new GuestFault(VECTOR.GP, error);
  if (!segment.present) throw new GuestFault(VECTOR.NP, error);
  return markAccessed(processor, segment);
}

/** In 64-bit mode, below privilege 3, SS may be null (Intel SDM Vol. 3A §3.4.3 "Segment Registers"). */
function stackSegment(processor: Processor, selector: number): Segment {
  const cpl = privilegeLevel(processor);
  if (isNull(selector)) {
    const isAllowed = processor.special.cs.long && operatingMode(processor) === 'long' && cpl < 3;
    if (!isAllowed || (selector & 3) !== cpl) throw new GuestFault(VECTOR.GP, 0);
    return nullStackSegment(cpl);
  }
  return markAccessed(processor, readStackSegment(processor, selector, cpl));
}

/** Intel SDM Vol. 2A "LLDT—Load Local Descriptor Table Register". */
export function loadLdt(processor: Processor, selector: number): void {
  if (isNull(selector)) {
    processor.special.ldt = { ...processor.special.ldt, selector, unusable: true };
    return;
  }
  processor.special.ldt = readSystemSegment(processor, selector, [LDT_TYPE]);
}

/** Intel SDM Vol. 2A "LTR—Load Task Register". The TSS is busy from then on, in memory, too. */
export function loadTaskRegister(processor: Processor, selector: number): void {
  if (isNull(selector)) throw new GuestFault(VECTOR.GP, 0);
  const types = operatingMode(processor) === 'long' ? [AVAILABLE_TSS] : [AVAILABLE_TSS, AVAILABLE_TSS_16];
  const segment = readSystemSegment(processor, selector, types);
  setTypeBits(processor, selector, TSS_BUSY);
  processor.special.tr = { ...segment, type: segment.type | TSS_BUSY };
}

/** These are in the GDT only, and in long mode have 16 bytes there. */
function readSystemSegment(processor: Processor, selector: number, types: readonly number[]): Segment {
  const error = selectorError(selector, false);
  if ((selector & 4) !== 0) throw new GuestFault(VECTOR.GP, error);
  const segment = readSegment(processor, selector);
  if (segment.nonSystem || !types.includes(segment.type)) throw new GuestFault(VECTOR.GP, error);
  if (!segment.present) throw new GuestFault(VECTOR.NP, error);
  if (operatingMode(processor) !== 'long') return segment;
  const { gdt } = processor.special;
  const offset = selector & 0xfff8;
  if (offset + 15 > gdt.limit) throw new GuestFault(VECTOR.GP, error);
  const upper = processor.memory.read(gdt.base + BigInt(offset + 8), 8, 'system');
  if ((upper & UPPER_TYPE_MASK) !== 0n) throw new GuestFault(VECTOR.GP, error);
  return { ...segment, base: segment.base | ((upper & 0xffffffffn) << 32n) };
}

/** The accessed flag, where it is not set yet (Intel SDM Vol. 3A §3.4.5.1 "Code- and Data-Segment Descriptor Types"). */
function markAccessed(processor: Processor, segment: Segment): Segment {
  if ((segment.type & 1) !== 0) return segment;
  setTypeBits(processor, segment.selector, 1);
  return { ...segment, type: segment.type | 1 };
}

/** Byte 5 of a descriptor has the type. */
function setTypeBits({ special, memory }: Processor, selector: number, bits: number): void {
  const table = (selector & 4) !== 0 ? special.ldt : special.gdt;
  const gva = table.base + BigInt((selector & 0xfff8) + 5);
  memory.write(gva, 1, memory.read(gva, 1, 'system') | BigInt(bits), 'system');
}
