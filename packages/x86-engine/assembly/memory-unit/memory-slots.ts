/** Which guest physical addresses are where in our memory: the vCPU's copy of the slot table (memory/slot-table.ts). */
import {
  SLOT_COUNT,
  SLOT_LOGS,
  SLOT_READONLY,
  SLOT_TABLE,
  SLOT_VERSION,
  SLOT_WORDS,
  SLOTS,
  UNIT_SLOTS,
} from '../../gen/layout';
import { codeWritten } from './host';
import { markDirty, markWritable } from './page-states';
import { unit } from './vcpu';

const PAGE_BITS: u64 = 12;
const SLOT_BYTES: usize = SLOT_WORDS * 4;
/** Offsets of a slot's words: pages are counted in the first three. */
const GPA: usize = 0;
const PAGES: usize = 4;
const ADDRESS: usize = 8;
const FLAGS: usize = 12;

let count: u32 = 0;
/** Where the slot of the last address is; 0: there is none. */
let last: usize = 0;

/** Takes the table anew, whose version is odd while it is being written. */
export function refreshSlots(): void {
  last = 0;
  while (true) {
    const before = atomic.load<u32>(SLOT_TABLE + SLOT_VERSION * 4);
    count = load<u32>(SLOT_TABLE + SLOT_COUNT * 4);
    memory.copy(unit + UNIT_SLOTS, SLOT_TABLE + SLOTS * 4, count * SLOT_BYTES);
    if ((before & 1) === 0 && atomic.load<u32>(SLOT_TABLE + SLOT_VERSION * 4) === before) return;
  }
}

/** The slot that has an address, or 0. */
export function findSlot(gpa: u64): usize {
  const page = gpa >>> PAGE_BITS;
  if (last !== 0 && has(last, page)) return last;
  for (let at: u32 = 0; at < count; at++) {
    const slot = unit + UNIT_SLOTS + at * SLOT_BYTES;
    if (!has(slot, page)) continue;
    last = slot;
    return slot;
  }
  return 0;
}

function has(slot: usize, page: u64): bool {
  return page - (load<u32>(slot, GPA) as u64) < (load<u32>(slot, PAGES) as u64);
}

/** Where memory of a slot is in ours. */
export function addressIn(slot: usize, gpa: u64): usize {
  const pages = (gpa >>> PAGE_BITS) - (load<u32>(slot, GPA) as u64) + (load<u32>(slot, ADDRESS) as u64);
  return ((pages << PAGE_BITS) | (gpa & 0xfff)) as usize;
}

/** Where memory is in ours, or 0. */
export function addressOf(gpa: u64): usize {
  const slot = findSlot(gpa);
  return slot === 0 ? 0 : addressIn(slot, gpa);
}

export function isReadonly(slot: usize): bool {
  return (load<u32>(slot, FLAGS) & SLOT_READONLY) !== 0;
}

export function logsDirtyPages(slot: usize): bool {
  return (load<u32>(slot, FLAGS) & SLOT_LOGS) !== 0;
}

/** To be called before memory of a slot is written, or made writable. @returns whether decoded code follows from it */
export function prepareWrite(slot: usize, address: usize): bool {
  if (logsDirtyPages(slot)) markDirty(address);
  if (!markWritable(address)) return false;
  codeWritten();
  return true;
}

/** Where memory is in ours, to be written, or 0: read-only memory is not written. */
export function writableAddressOf(gpa: u64): usize {
  const slot = findSlot(gpa);
  if (slot === 0 || isReadonly(slot)) return 0;
  const address = addressIn(slot, gpa);
  prepareWrite(slot, address);
  return address;
}
