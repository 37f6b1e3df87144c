/**
 * From a linear address to a physical one, through the guest's page tables: rights, accessed and dirty flags, and the
 * error code of the page fault where it does not go (Intel SDM Vol. 3A chapter 4 "Paging").
 */
import {
  ACCESS_EXECUTE,
  ACCESS_READ,
  ACCESS_WRITE,
  CONTROL_NXE,
  CONTROL_PSE,
  CONTROL_SMAP,
  CONTROL_SMEP,
  CONTROL_WP,
  PAGING_32_BIT,
  PAGING_NONE,
  PAGING_PAE,
  PF_INSTRUCTION,
  PF_PRESENT,
  PF_RESERVED,
  PF_USER,
  PF_WRITE,
  RIGHTS_ALLOWED,
  RIGHTS_USER,
  UNIT_PATH,
} from '../../gen/layout';
import { addressOf, writableAddressOf } from './memory-slots';
import { unit } from './vcpu';

const PRESENT: u64 = 1;
const WRITABLE: u64 = 2;
const USER_PAGE: u64 = 4;
const ACCESSED: u64 = 32;
const DIRTY: u64 = 64;
const PAGE_SIZE: u64 = 128;
const GLOBAL: u64 = 256;
const NO_EXECUTE: u64 = 1 << 63;
/** Bits 51 to 12 of an entry. */
const FRAME: u64 = 0x000f_ffff_ffff_f000;
/** Of an entry of PAE's top table (Table 4-8 "Format of a PAE Page-Directory-Pointer-Table Entry"). */
const PDPTE_RESERVED: u64 = 0x1e6;
/** Of a large page, address bits that its offset covers begin here: below are flags, and the PAT's bit. */
const LARGE_OFFSET: u64 = ~(0x1fff as u64);

// What translation depends on of the vCPU's registers (paging/paging-mode.ts).
/** PAGING_NONE: what an import says is no initial value, for a module that nothing runs to start. */
let mode: u32 = 0;
let controls: u32 = 0;
let root: u64 = 0;
/** Bits that entries of 8 bytes must not have, NO_EXECUTE among them while it is off. */
let reserved: u64 = 0;

// Where the last walk went.
export let gpa: u64 = 0;
export let pageShift: u32 = 12;
/** Whether it may be written through the page now: the dirty flag is set, and rights allow it. */
export let mayWrite: bool = false;
export let isGlobal: bool = false;
export let errorCode: u32 = 0;

/** Entries on the way, whose flags are to be set: their addresses, their values. */
const PATH_ENTRY_BYTES: usize = 16;
const VALUE: usize = 8;
let pathLength: u32 = 0;

const FAULT: i32 = 0;
const ARRIVED: i32 = 1;
/** Another processor has changed an entry between our look at it and our setting of its flags. */
const AGAIN: i32 = 2;

export function setControls(newMode: u32, newControls: u32, newRoot: u64, newReserved: u64): void {
  mode = newMode;
  controls = newControls;
  root = newRoot;
  reserved = newReserved;
}

export function hasControl(control: u32): bool {
  return (controls & control) !== 0;
}

/** `gva` is canonical where the mode has 64-bit addresses, else of 32 bits. @returns false: `errorCode` */
export function walk(gva: u64, kind: u32, rights: u32): bool {
  if (mode === PAGING_NONE) {
    arriveAt(gva & 0xffff_ffff, 12, true, false);
    return true;
  }
  while (true) {
    const outcome = mode === PAGING_32_BIT ? walk32(gva, kind, rights) : walk64(gva, kind, rights);
    if (outcome !== AGAIN) return outcome === ARRIVED;
  }
}

/** §4.3 "32-Bit Paging". */
function walk32(gva: u64, kind: u32, rights: u32): i32 {
  pathLength = 0;
  const directory = root + (((gva >>> 22) & 0x3ff) << 2);
  const top = entry32(directory);
  if ((top & PRESENT) === 0) return fault(kind, rights, 0);
  if ((top & PAGE_SIZE) !== 0 && hasControl(CONTROL_PSE)) {
    // PSE-36: bits 20 to 13 are address bits 39 to 32 (Table 4-4).
    const frame = (((top >>> 13) & 0xff) << 32) | (top & 0xffc0_0000);
    return arrive(top, top, frame, gva, 22, kind, rights);
  }
  const entry = entry32((top & 0xffff_f000) + (((gva >>> 12) & 0x3ff) << 2));
  if ((entry & PRESENT) === 0) return fault(kind, rights, 0);
  return arrive(entry, top & entry, entry & 0xffff_f000, gva, 12, kind, rights);
}

/** §4.4 "PAE Paging" and §4.5 "4-Level Paging and 5-Level Paging". */
function walk64(gva: u64, kind: u32, rights: u32): i32 {
  pathLength = 0;
  let table = root;
  let shift: u32 = 39;
  // Rights that all levels give; NO_EXECUTE the other way round.
  let common: u64 = ~(0 as u64);
  let noExecute: u64 = 0;
  if (mode === PAGING_PAE) {
    // The top entries are no page-table entries: they have no rights and no flags (§4.4.1).
    const top = entry64(table + (((gva >>> 30) & 3) << 3), false);
    if ((top & PRESENT) === 0) return fault(kind, rights, 0);
    if ((top & (reserved | NO_EXECUTE | PDPTE_RESERVED)) !== 0)
      return fault(kind, rights, PF_PRESENT | PF_RESERVED);
    table = top & FRAME;
    shift = 21;
  }
  while (true) {
    const entry = entry64(table + (((gva >>> shift) & 0x1ff) << 3), true);
    if ((entry & PRESENT) === 0) return fault(kind, rights, 0);
    const mapsPage = shift === 12 || (shift < 39 && (entry & PAGE_SIZE) !== 0);
    if (hasReservedBits(entry, shift, mapsPage)) return fault(kind, rights, PF_PRESENT | PF_RESERVED);
    common &= entry;
    noExecute |= entry & NO_EXECUTE;
    if (mapsPage) {
      const frame = entry & FRAME & ~(((1 as u64) << shift) - 1);
      return arrive(entry, (common & ~NO_EXECUTE) | noExecute, frame, gva, shift, kind, rights);
    }
    table = entry & FRAME;
    shift -= 9;
  }
}

/** Figures 4-7 and 4-11, "Formats of CR3 and Paging-Structure Entries". */
function hasReservedBits(entry: u64, shift: u32, mapsPage: bool): bool {
  if ((entry & reserved) !== 0) return true;
  if (shift === 39) return (entry & PAGE_SIZE) !== 0;
  return mapsPage && shift > 12 && (entry & (((1 as u64) << shift) - 1) & LARGE_OFFSET) !== 0;
}

/** `common`: the rights that all levels give. */
function arrive(entry: u64, common: u64, frame: u64, gva: u64, shift: u32, kind: u32, rights: u32): i32 {
  if (!isAllowed(common, kind, rights)) return fault(kind, rights, PF_PRESENT);
  const wanted = kind === ACCESS_WRITE ? ACCESSED | DIRTY : ACCESSED;
  if (((common & ACCESSED) === 0 || (entry & wanted) !== wanted) && !setFlags(kind)) return AGAIN;
  const isDirty = kind === ACCESS_WRITE || (entry & DIRTY) !== 0;
  const offset = gva & (((1 as u64) << shift) - 1);
  arriveAt(frame | offset, shift, isDirty && isAllowed(common, ACCESS_WRITE, rights), (entry & GLOBAL) !== 0);
  return ARRIVED;
}

function arriveAt(at: u64, shift: u32, writable: bool, ofAllSpaces: bool): void {
  gpa = at;
  pageShift = shift;
  mayWrite = writable;
  isGlobal = ofAllSpaces;
}

/** Sets the flags of entries on the path, atomically. @returns false: one of them has been changed */
function setFlags(kind: u32): bool {
  for (let depth: u32 = 0; depth < pathLength; depth++) {
    const at = unit + UNIT_PATH + depth * PATH_ENTRY_BYTES;
    const entryGpa = load<u64>(at);
    const value = load<u64>(at, VALUE);
    const isLast = depth === pathLength - 1;
    const wanted = isLast && kind === ACCESS_WRITE ? ACCESSED | DIRTY : ACCESSED;
    if ((value & wanted) !== wanted && !setBits(entryGpa, value as u32, wanted as u32)) return false;
  }
  return true;
}

/** Of tables in read-only memory, or none, nobody can set flags; the walk goes on. */
function setBits(entryGpa: u64, expected: u32, bits: u32): bool {
  const address = writableAddressOf(entryGpa);
  if (address === 0) return true;
  return atomic.cmpxchg<u32>(address, expected, expected | bits) === expected;
}

/** What is no memory reads as 0. */
function entry32(at: u64): u64 {
  const address = addressOf(at);
  const value: u64 = address === 0 ? 0 : (atomic.load<u32>(address) as u64);
  note(at, value);
  return value;
}

function entry64(at: u64, hasFlags: bool): u64 {
  const address = addressOf(at);
  const value: u64 = address === 0 ? 0 : atomic.load<u64>(address);
  if (hasFlags) note(at, value);
  return value;
}

function note(at: u64, value: u64): void {
  const place = unit + UNIT_PATH + pathLength * PATH_ENTRY_BYTES;
  store<u64>(place, at);
  store<u64>(place, value, VALUE);
  pathLength++;
}

/** §4.6.1 "Determination of Access Rights". */
function isAllowed(common: u64, kind: u32, rights: u32): bool {
  const isWritable = (common & WRITABLE) !== 0;
  const isUser = (common & USER_PAGE) !== 0;
  const isExecutable = !hasControl(CONTROL_NXE) || (common & NO_EXECUTE) === 0;
  if (rights === RIGHTS_USER) {
    if (!isUser) return false;
    return kind === ACCESS_READ || (kind === ACCESS_WRITE ? isWritable : isExecutable);
  }
  if (kind === ACCESS_EXECUTE) return isExecutable && !(isUser && hasControl(CONTROL_SMEP));
  if (isUser && hasControl(CONTROL_SMAP) && rights !== RIGHTS_ALLOWED) return false;
  return kind === ACCESS_READ || isWritable || !hasControl(CONTROL_WP);
}

/** §4.7 "Page-Fault Exceptions". */
function fault(kind: u32, rights: u32, code: u32): i32 {
  const tellsFetches = (controls & (CONTROL_SMEP | CONTROL_NXE)) !== 0;
  errorCode = code;
  if (kind === ACCESS_WRITE) errorCode |= PF_WRITE;
  if (rights === RIGHTS_USER) errorCode |= PF_USER;
  if (kind === ACCESS_EXECUTE && tellsFetches) errorCode |= PF_INSTRUCTION;
  return FAULT;
}
