/** Segments as 64-bit mode has them: none (Intel SDM Vol. 3A §3.2.4 "Segmentation in IA-32e Mode"). */
import { offsetOf } from './cpu-state.ts';

export const SEGMENT_PLACES = 7;
/** The place, behind ES to GS, of what has no segment. */
export const NO_SEGMENT = 6;
/** Beyond every offset that is checked. */
export const UNLIMITED = 2n ** 34n;

/** A new vCPU's state in 64-bit mode; `state`: its address. Its general registers and the rest are 0. */
export function setFlatSegments(view: DataView, state: number): void {
  for (let place = 0; place < SEGMENT_PLACES; place++) {
    view.setBigUint64(state + offsetOf('segmentBases') + place * 8, 0n, true);
    view.setBigUint64(state + offsetOf('segmentReadable') + place * 8, UNLIMITED, true);
    view.setBigUint64(state + offsetOf('segmentWritable') + place * 8, UNLIMITED, true);
  }
  view.setBigInt64(state + offsetOf('stackMask'), -1n, true);
  view.setBigInt64(state + offsetOf('linearMask'), -1n, true);
  view.setBigInt64(state + offsetOf('codeLimit'), -1n, true);
}
