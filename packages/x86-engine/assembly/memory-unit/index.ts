/**
 * A vCPU's memory unit: its translations, its accesses to memory beyond what the interpreter's own look at a TLB serves, and
 * the search for its decoded code. What it cannot do alone, devices' memory and faults, it leaves to the host (vcpu.ts).
 *
 * All tables are in the engine's memory; numbers that nobody else needs are the instance's own, one for each vCPU.
 */
export { read, write } from './access';
export {
  codeAddress,
  codeOutcome,
  dropPage,
  findCode,
  forgetCode,
  forgetStretches,
  keepCode,
  setCodeMode,
  startCode,
} from './decoded-code';
export { refreshSlots, writableAddressOf } from './memory-slots';
export { errorCode, gpa, isGlobal, mayWrite, pageShift, setControls } from './page-walk';
export { empty, emptyLocal, watch } from './tlb';
export { find, outcome, readAddress } from './translation';
export { place } from './vcpu';
