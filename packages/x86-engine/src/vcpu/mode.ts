/** What the interpreter's state and the translation of addresses take from segments and control registers. */
import type { Segment, SpecialRegisters } from '@vireo/hypervisor/vcpu-state';
import type { ModeBits } from '@vireo/x86-isa';
import { offsetOf } from '../cpu-state.ts';
import { NO_SEGMENT, setFlatSegments } from '../flat-segments.ts';
import { PRIVILEGE } from '../interpreter/quick-operations.ts';
import { isCode } from '../system/descriptor.ts';
import { is64BitMode, operatingMode, type Processor, privilegeLevel } from '../system/processor.ts';

const EXPAND_DOWN = 4;
/** Of code: readable; of data: writable. */
const READ_WRITE = 2;

/** In the order of their numbers. */
export const DATA_SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const;

/** How code is decoded. */
export function codeBits(processor: Processor): ModeBits {
  if (is64BitMode(processor)) return 64;
  return processor.special.cs.defaultBig ? 32 : 16;
}

/** Puts segments and masks into the state, where 64-bit mode differs from all others. */
export function applySegments(state: DataView, processor: Processor): void {
  const { special } = processor;
  const checks = hasSegmentTypes(processor);
  state.setUint32(offsetOf('x87RealFormat'), checks ? 0 : 1, true);
  if (is64BitMode(processor)) {
    setFlatSegments(state, 0);
    setBase(state, DATA_SEGMENTS.indexOf('fs'), special.fs.base);
    setBase(state, DATA_SEGMENTS.indexOf('gs'), special.gs.base);
    return;
  }
  for (const [place, name] of DATA_SEGMENTS.entries()) {
    const segment = special[name];
    setBase(state, place, segment.base);
    const bytes = isBelowLimit(segment) ? BigInt(segment.limit) + 1n : 0n;
    setBytes(state, 'segmentReadable', place, !checks || isReadable(segment) ? bytes : 0n);
    setBytes(state, 'segmentWritable', place, !checks || isWritable(segment) ? bytes : 0n);
  }
  setBase(state, NO_SEGMENT, 0n);
  state.setBigUint64(offsetOf('stackMask'), special.ss.defaultBig ? 0xffff_ffffn : 0xffffn, true);
  state.setBigUint64(offsetOf('linearMask'), 0xffff_ffffn, true);
  state.setBigUint64(offsetOf('codeLimit'), BigInt(special.cs.limit), true);
}

function hasSegmentTypes(processor: Processor): boolean {
  return operatingMode(processor) === 'protected' || operatingMode(processor) === 'long';
}

/** PRIVILEGE bits. */
export function privilegesOf(processor: Processor): number {
  if (operatingMode(processor) === 'virtual-8086') return 0;
  return PRIVILEGE.readFlags | (privilegeLevel(processor) === 0 ? PRIVILEGE.interruptFlag : 0);
}

/** What generated code reads of segment registers. */
export function applySelectors(state: DataView, special: SpecialRegisters): void {
  for (const [place, name] of DATA_SEGMENTS.entries())
    state.setUint16(offsetOf('selectors') + place * 2, special[name].selector, true);
}

export function setBase(state: DataView, place: number, base: bigint): void {
  state.setBigUint64(offsetOf('segmentBases') + place * 8, base, true);
}

function setBytes(
  state: DataView,
  name: 'segmentReadable' | 'segmentWritable',
  place: number,
  bytes: bigint,
): void {
  state.setBigUint64(offsetOf(name) + place * 8, bytes, true);
}

export const isReadable = (segment: Segment): boolean =>
  !segment.unusable && (!isCode(segment) || (segment.type & READ_WRITE) !== 0);

export const isWritable = (segment: Segment): boolean =>
  !segment.unusable && !isCode(segment) && (segment.type & READ_WRITE) !== 0;

const isExpandDown = (segment: Segment): boolean => !isCode(segment) && (segment.type & EXPAND_DOWN) !== 0;
const isBelowLimit = (segment: Segment): boolean => !segment.unusable && !isExpandDown(segment);

/** Whether bytes from an offset on are within the segment (Intel SDM Vol. 3A §5.3 "Limit Checking"). */
export function isInside(segment: Segment, offset: bigint, lengthBytes: number): boolean {
  const last = offset + BigInt(lengthBytes) - 1n;
  const limit = BigInt(segment.limit);
  if (!isExpandDown(segment)) return last <= limit;
  return offset > limit && last <= (segment.defaultBig ? 0xffff_ffffn : 0xffffn);
}
