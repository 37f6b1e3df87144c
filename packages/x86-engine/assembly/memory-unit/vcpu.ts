/** Whose memory unit this is: an instance serves one vCPU, whose places in memory are here. */
import { TLB_BYTES } from '../../gen/layout';

/** The state (cpu-state.ts), the TLBs, the table of decoded code and the unit's own part of the vCPU's area (memory-map.ts). */
export let state: usize = 0;
export let tlbs: usize = 0;
export let codeTable: usize = 0;
export let unit: usize = 0;

export function place(stateAt: usize, tlbsAt: usize, codeTableAt: usize, unitAt: usize): void {
  state = stateAt;
  tlbs = tlbsAt;
  codeTable = codeTableAt;
  unit = unitAt;
}

/** Each of RIGHTS has a TLB for data. */
export function tlbOf(rights: u32): usize {
  return tlbs + rights * TLB_BYTES;
}
