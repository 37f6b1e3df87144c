/** MXCSR, XMM and MMX registers in the engine and in an FXSAVE area (Intel SDM Vol. 2A "FXSAVE—Save x87 FPU, MMX Technology, and SSE State"). */
import { MMX_STRIDE_BYTES, offsetOf, XMM_STRIDE_BYTES } from '@vireo/x86-engine/cpu-state';

export const FXSAVE = {
  ...{ control: 0, status: 2, tags: 4, mxcsr: 24, x87: 32, xmm: 160, xmmEnd: 416, lengthBytes: 512 },
} as const;

const REGISTER_BYTES = 16;
/** Three bits of the status word: which register is ST(0). */
const TOP_SHIFT = 11;

/** Of the area's ST(i), the register is the i-th from the top on. */
export function loadVectors(state: DataView, fxsave: Uint8Array): void {
  const area = new DataView(fxsave.buffer, fxsave.byteOffset, fxsave.length);
  state.setUint32(offsetOf('mxcsr'), area.getUint32(FXSAVE.mxcsr, true), true);
  state.setUint32(offsetOf('floatFlags'), 0, true);
  state.setUint32(offsetOf('x87Control'), area.getUint16(FXSAVE.control, true), true);
  state.setUint32(offsetOf('x87Status'), area.getUint16(FXSAVE.status, true), true);
  state.setUint32(offsetOf('x87Tags'), area.getUint8(FXSAVE.tags), true);
  const top = (area.getUint16(FXSAVE.status, true) >> TOP_SHIFT) & 7;
  for (let place = 0; place < 8; place++) {
    const register = offsetOf('x87') + ((place + top) & 7) * MMX_STRIDE_BYTES;
    copy(area, FXSAVE.x87 + place * REGISTER_BYTES, state, register);
  }
  for (let number = 0; number < 16; number++)
    copy(area, FXSAVE.xmm + number * REGISTER_BYTES, state, offsetOf('xmm') + number * XMM_STRIDE_BYTES);
}

/** What differs, in words. */
export function vectorDifference(state: DataView, fxsave: Uint8Array): string | undefined {
  const area = new DataView(fxsave.buffer, fxsave.byteOffset, fxsave.length);
  for (let number = 0; number < 16; number++) {
    const ours = vector(state, offsetOf('xmm') + number * XMM_STRIDE_BYTES);
    const theirs = vector(area, FXSAVE.xmm + number * REGISTER_BYTES);
    if (ours !== theirs) return `XMM${number} is ${hex(ours)}, silicon ${hex(theirs)}`;
  }
  const mxcsr = state.getUint32(offsetOf('mxcsr'), true);
  const theirs = area.getUint32(FXSAVE.mxcsr, true);
  if (mxcsr !== theirs) return `MXCSR is ${hex(BigInt(mxcsr))}, silicon ${hex(BigInt(theirs))}`;
  return x87Difference(state, area);
}

function x87Difference(state: DataView, area: DataView): string | undefined {
  const status = state.getUint32(offsetOf('x87Status'), true);
  const theirStatus = area.getUint16(FXSAVE.status, true);
  if (status !== theirStatus) return `FSW is ${status}, silicon ${theirStatus}`;
  const tags = state.getUint32(offsetOf('x87Tags'), true);
  const theirTags = area.getUint8(FXSAVE.tags);
  if (tags !== theirTags) return `FTW is ${tags}, silicon ${theirTags}`;
  const top = (status >> TOP_SHIFT) & 7;
  for (let number = 0; number < 8; number++) {
    const place = (number - top) & 7;
    const ours = register80(state, offsetOf('x87') + number * MMX_STRIDE_BYTES);
    const native = register80(area, FXSAVE.x87 + place * REGISTER_BYTES);
    if (ours !== native) return `R${number} is ${hex(ours)}, silicon ${hex(native)}`;
  }
  return undefined;
}

function copy(from: DataView, offset: number, to: DataView, at: number): void {
  to.setBigUint64(at, from.getBigUint64(offset, true), true);
  to.setBigUint64(at + 8, from.getBigUint64(offset + 8, true), true);
}

function vector(view: DataView, offset: number): bigint {
  return view.getBigUint64(offset, true) | (view.getBigUint64(offset + 8, true) << 64n);
}

const register80 = (view: DataView, offset: number): bigint => vector(view, offset) & ((1n << 80n) - 1n);

const hex = (value: bigint): string => `0x${value.toString(16)}`;
