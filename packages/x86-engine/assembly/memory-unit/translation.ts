/** From linear addresses to ours, by the TLBs and the page walk, which fills them. */
import {
  ACCESS_EXECUTE,
  ACCESS_WRITE,
  CONTROL_PGE,
  OUTCOME_DEVICE,
  OUTCOME_FAULT,
  OUTCOME_READ_ONLY,
  TLB_ENTRY_READ_PAGE,
  TLB_ENTRY_WRITE_PAGE,
} from '../../gen/layout';
import { addressIn, findSlot, isReadonly, logsDirtyPages, prepareWrite } from './memory-slots';
import { isCode } from './page-states';
import { gpa, hasControl, isGlobal, mayWrite, pageShift, walk } from './page-walk';
import { codeEntry, dataEntry, enter, lookUp } from './tlb';

/** What came of the last translation that gave no address (OUTCOME of memory/unit-numbers.ts). */
export let outcome: u32 = 0;
export let readAddress: usize = 0;
/** The last translation's write made decoded code invalid. */
export let wroteCode: bool = false;

/** By the TLB or a walk. @returns an address, or 0: `outcome` */
export function find(gva: u64, kind: u32, rights: u32): usize {
  const entry = kind === ACCESS_EXECUTE ? codeEntry(rights, gva) : dataEntry(rights, gva);
  const known = lookUp(entry, gva, kind === ACCESS_WRITE ? TLB_ENTRY_WRITE_PAGE : TLB_ENTRY_READ_PAGE);
  return known !== 0 ? known : translate(gva, kind, rights);
}

/** By a walk. `gva` is canonical, as the mode has it. @returns an address, or 0: `outcome` */
export function translate(gva: u64, kind: u32, rights: u32): usize {
  wroteCode = false;
  if (!walk(gva, kind, rights)) {
    outcome = OUTCOME_FAULT;
    return 0;
  }
  const slot = findSlot(gpa);
  if (slot === 0) {
    outcome = OUTCOME_DEVICE;
    return 0;
  }
  const address = addressIn(slot, gpa);
  if (kind === ACCESS_WRITE) {
    if (isReadonly(slot)) {
      outcome = OUTCOME_READ_ONLY;
      readAddress = address;
      return 0;
    }
    wroteCode = prepareWrite(slot, address);
  }
  remember(gva, kind, rights, slot, address);
  return address;
}

function remember(gva: u64, kind: u32, rights: u32, slot: usize, address: usize): void {
  const ofAllSpaces = isGlobal && hasControl(CONTROL_PGE);
  if (kind === ACCESS_EXECUTE) {
    enter(codeEntry(rights, gva), gva, address, false, ofAllSpaces, pageShift);
    return;
  }
  let isWritable = kind === ACCESS_WRITE;
  if (!isWritable && mayWrite && !isReadonly(slot) && !logsDirtyPages(slot) && !isCode(address)) {
    isWritable = true;
    wroteCode = prepareWrite(slot, address);
  }
  enter(dataEntry(rights, gva), gva, address, isWritable, ofAllSpaces, pageShift);
}
