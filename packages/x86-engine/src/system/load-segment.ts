/** What loading a segment register checks and does (Intel SDM Vol. 2B "MOV—Move", Vol. 3A §5.6 "Privilege Level Checking when Accessing Data Segments"). */
import type { Segment, SegmentName } from '@vireo/hypervisor';
import {
  changeType,
  isCode,
  isConforming,
  isNull,
  markAccessed,
  readSegment,
  readStackSegment,
} from './descriptor.ts';
import { GuestFault, selectorError, VECTOR } from './guest-fault.ts';
import {
  is64BitMode,
  isCanonical,
  nullStackSegment,
  operatingMode,
  type Processor,
  privilegeLevel,
} from './processor.ts';

const READABLE_CODE = 2;
const DATA_ACCESSED = 3;
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
  if (mode === 'real') processor.special[name] = realModeSegment(processor.special[name], selector);
  else if (mode === 'virtual-8086') processor.special[name] = virtual8086Segment(selector);
  else if (name === 'ss') processor.special.ss = stackSegment(processor, selector);
  else processor.special[name] = dataSegment(processor, selector, name);
}

/** Limit and width stay as they were in protected mode (Intel SDM Vol. 3A §9.9.2 "Switching Back to Real-Address Mode"). */
export const realModeSegment = (segment: Segment, selector: number): Segment => ({
  ...segment,
  ...{ selector, base: BigInt(selector * 16), type: DATA_ACCESSED, nonSystem: true, dpl: 0 },
  ...{ present: true, unusable: false },
});

/** Intel SDM Vol. 3A §20.2.1 "Enabling Virtual-8086 Mode", Vol. 3C §26.3.1.2 "Checks on Guest Segment Registers". */
export const virtual8086Segment = (selector: number): Segment => ({
  ...{ selector, base: BigInt(selector * 16), limit: 0xffff, type: DATA_ACCESSED, nonSystem: true, dpl: 3 },
  ...{ present: true, available: false, long: false, defaultBig: false, granularity: false },
  unusable: false,
});

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
    if (!is64BitMode(processor) || cpl === 3 || (selector & 3) !== cpl) throw new GuestFault(VECTOR.GP, 0);
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
  changeType(processor, selector, { set: TSS_BUSY });
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
  const upper = processor.memory.read(BigInt.asUintN(64, gdt.base + BigInt(offset + 8)), 8, 'system');
  const base = segment.base | ((upper & 0xffffffffn) << 32n);
  if ((upper & UPPER_TYPE_MASK) !== 0n || !isCanonical(base)) throw new GuestFault(VECTOR.GP, error);
  return { ...segment, base };
}
