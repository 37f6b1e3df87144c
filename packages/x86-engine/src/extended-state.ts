/**
 * A vCPU's x87 and SSE state as an XSAVE area in the standard format (Intel SDM Vol. 1 §13.4 "XSAVE Area"), for saving and
 * resuming a machine. Of the last x87 instruction there are the offsets; selectors are 0, as FXSAVE64 has them.
 */
import type { ExtendedState } from '@vireo/hypervisor';
import { type FieldName, MMX_STRIDE_BYTES, offsetOf, XMM_STRIDE_BYTES } from './cpu-state.ts';
import { MXCSR_INITIAL, MXCSR_RESERVED } from './float/mxcsr.ts';
import {
  CONTROL_FIXED,
  CONTROL_INITIAL,
  CONTROL_MASK,
  EXCEPTIONS,
  STATUS,
  TOP_SHIFT,
} from './x87/status-word.ts';

export const EXTENDED_STATE_BYTES = 512 + 64;

const AREA = {
  ...{ control: 0, status: 2, tags: 4, opcode: 6, instruction: 8, data: 16, mxcsr: 24, mxcsrMask: 28 },
  ...{ x87: 32, xmm: 160, stateBv: 512, compactionBv: 520 },
} as const;
const AREA_REGISTER_BYTES = 16;
const X87_REGISTERS = 8;
const XMM_REGISTERS = 16;
const COMPONENT = { x87: 1n, sse: 2n } as const;
const OPCODE_MASK = 0x7ff;

const MXCSR_BITS = ~MXCSR_RESERVED >>> 0;

/** `state`: the address of the vCPU's block. */
export function saveExtendedState(memory: DataView, state: number): ExtendedState {
  const area = new Uint8Array(EXTENDED_STATE_BYTES);
  const to = new DataView(area.buffer);
  const word = (name: FieldName) => memory.getUint32(state + offsetOf(name), true);
  const pointer = (name: FieldName) => memory.getBigUint64(state + offsetOf(name), true);
  to.setUint16(AREA.control, word('x87Control'), true);
  to.setUint16(AREA.status, word('x87Status'), true);
  to.setUint8(AREA.tags, word('x87Tags'));
  to.setUint16(AREA.opcode, word('x87Opcode'), true);
  to.setBigUint64(AREA.instruction, pointer('x87Instruction'), true);
  to.setBigUint64(AREA.data, pointer('x87Data'), true);
  to.setUint32(AREA.mxcsr, word('mxcsr'), true);
  to.setUint32(AREA.mxcsrMask, MXCSR_BITS, true);
  eachX87((place, register) => {
    to.setBigUint64(place, memory.getBigUint64(state + register, true), true);
    to.setUint16(place + 8, memory.getUint16(state + register + 8, true), true);
  }, word('x87Status'));
  eachXmm((place, register) => copyVector(memory, state + register, to, place));
  to.setBigUint64(AREA.stateBv, COMPONENT.x87 | COMPONENT.sse, true);
  return { xcr0: pointer('xcr0'), area };
}

/**
 * The opposite. State components that the area does not have become initial; MXCSR goes with SSE.
 *
 * @throws RangeError when it is no such area, or has what this processor has not. Nothing has changed then.
 */
export function restoreExtendedState(memory: DataView, state: number, { xcr0, area }: ExtendedState): void {
  const from = new DataView(area.buffer, area.byteOffset, area.byteLength);
  checkArea(from);
  const components = from.getBigUint64(AREA.stateBv, true);
  memory.setBigUint64(state + offsetOf('xcr0'), xcr0, true);
  restoreX87(memory, state, components & COMPONENT.x87 ? from : initialArea());
  restoreSse(memory, state, components & COMPONENT.sse ? from : initialArea());
}

function checkArea(area: DataView): void {
  if (area.byteLength < EXTENDED_STATE_BYTES)
    throw new RangeError(`an XSAVE area has at least ${EXTENDED_STATE_BYTES} bytes, not ${area.byteLength}`);
  const components = area.getBigUint64(AREA.stateBv, true);
  const unknown = components & ~(COMPONENT.x87 | COMPONENT.sse);
  if (unknown !== 0n)
    throw new RangeError(`the engine has no state components 0x${unknown.toString(16)} of the XSAVE area's`);
  if (area.getBigUint64(AREA.compactionBv, true) !== 0n)
    throw new RangeError('the XSAVE area is not in the standard format');
  const mxcsr = area.getUint32(AREA.mxcsr, true);
  if (components & COMPONENT.sse && mxcsr & MXCSR_RESERVED)
    throw new RangeError(`MXCSR 0x${mxcsr.toString(16)} has reserved bits`);
}

/** After FNINIT, and MXCSR after a reset. */
function initialArea(): DataView {
  const area = new DataView(new ArrayBuffer(EXTENDED_STATE_BYTES));
  area.setUint16(AREA.control, CONTROL_INITIAL, true);
  area.setUint32(AREA.mxcsr, MXCSR_INITIAL, true);
  return area;
}

/** Words as FXRSTOR takes them: without reserved bits, and an exception is pending if flags and masks say so. */
function restoreX87(memory: DataView, state: number, from: DataView): void {
  const setWord = (name: FieldName, value: number) => memory.setUint32(state + offsetOf(name), value, true);
  const control = (from.getUint16(AREA.control, true) & CONTROL_MASK) | CONTROL_FIXED;
  const status = from.getUint16(AREA.status, true) & ~STATUS.pending;
  setWord('x87Control', control);
  setWord('x87Status', status & ~control & EXCEPTIONS ? status | STATUS.pending : status);
  setWord('x87Tags', from.getUint8(AREA.tags));
  setWord('x87Opcode', from.getUint16(AREA.opcode, true) & OPCODE_MASK);
  memory.setBigUint64(state + offsetOf('x87Instruction'), from.getBigUint64(AREA.instruction, true), true);
  memory.setBigUint64(state + offsetOf('x87Data'), from.getBigUint64(AREA.data, true), true);
  eachX87((place, register) => {
    memory.setBigUint64(state + register, from.getBigUint64(place, true), true);
    memory.setUint16(state + register + 8, from.getUint16(place + 8, true), true);
  }, status);
}

function restoreSse(memory: DataView, state: number, from: DataView): void {
  memory.setUint32(state + offsetOf('mxcsr'), from.getUint32(AREA.mxcsr, true), true);
  eachXmm((place, register) => copyVector(from, place, memory, state + register));
}

/** The area has ST(0) first, the state R0. */
function eachX87(copy: (place: number, register: number) => void, status: number): void {
  const top = (status & STATUS.TOP) >> TOP_SHIFT;
  for (let i = 0; i < X87_REGISTERS; i++)
    copy(AREA.x87 + i * AREA_REGISTER_BYTES, offsetOf('x87') + ((top + i) & 7) * MMX_STRIDE_BYTES);
}

function eachXmm(copy: (place: number, register: number) => void): void {
  for (let number = 0; number < XMM_REGISTERS; number++)
    copy(AREA.xmm + number * AREA_REGISTER_BYTES, offsetOf('xmm') + number * XMM_STRIDE_BYTES);
}

function copyVector(from: DataView, offset: number, to: DataView, at: number): void {
  to.setBigUint64(at, from.getBigUint64(offset, true), true);
  to.setBigUint64(at + 8, from.getBigUint64(offset + 8, true), true);
}
