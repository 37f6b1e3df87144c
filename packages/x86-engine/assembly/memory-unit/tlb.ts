/**
 * The vCPU's TLBs (tlb.ts at the engine): of data for each of the rights, which generated code looks into, and of code for
 * users and supervisors (Intel SDM Vol. 3A §4.10 "Caching Translation Information").
 */
import {
  CODE_TLB_BYTES,
  CODE_TLB_ENTRIES,
  RIGHTS_SUPERVISOR,
  RIGHTS_USER,
  TLB_BYTES,
  TLB_COUNT,
  TLB_ENTRIES,
  TLB_ENTRY_ADDEND,
  TLB_ENTRY_BYTES,
  TLB_ENTRY_GLOBAL,
  TLB_ENTRY_READ_PAGE,
  TLB_ENTRY_WRITE_PAGE,
  UNIT_LARGE_REGIONS,
  UNIT_LARGE_REGIONS_BYTES,
  UNIT_LOCAL_ENTRIES,
  UNIT_LOCAL_ENTRIES_BYTES,
  UNIT_WATCHED,
} from '../../gen/layout';
import { tlbOf, tlbs, unit } from './vcpu';

const PAGE_MASK: u64 = ~(0xfff as u64);
const NO_PAGE: u64 = ~(0 as u64);
/** Of 2 MiB and of 1 GiB. */
const LARGE_SHIFT: u64 = 21;
const HUGE_SHIFT: u64 = 30;
const MOST_LOCAL: u32 = UNIT_LOCAL_ENTRIES_BYTES / 4;

/** Entries that were made for pages that are not global. */
let localCount: u32 = 0;
/** Pages that never enter a TLB, so that each access to them is seen (debug registers). */
let watchedCount: u32 = 0;

export function dataEntry(rights: u32, gva: u64): usize {
  return tlbOf(rights) + (((gva >>> 12) as usize) & (TLB_ENTRIES - 1)) * TLB_ENTRY_BYTES;
}

export function codeEntry(rights: u32, gva: u64): usize {
  const tlb = tlbs + (TLB_COUNT + 1) * TLB_BYTES + (rights === RIGHTS_USER ? 0 : CODE_TLB_BYTES);
  return tlb + (((gva >>> 12) as usize) & (CODE_TLB_ENTRIES - 1)) * TLB_ENTRY_BYTES;
}

/** Where a linear address is by an entry, or 0. `page`: the field that counts. */
export function lookUp(entry: usize, gva: u64, page: usize): usize {
  if (load<u64>(entry + page) !== (gva & PAGE_MASK)) return 0;
  return (gva as usize) + load<u32>(entry, TLB_ENTRY_ADDEND);
}

/** Whether an entry is of the page of a linear address, which is global. */
export function isGlobalPage(entry: usize, gva: u64): bool {
  return lookUp(entry, gva, TLB_ENTRY_READ_PAGE) !== 0 && isGlobalEntry(entry);
}

function isGlobalEntry(entry: usize): bool {
  return load<u32>(entry, TLB_ENTRY_GLOBAL) !== 0;
}

/** Lets the page of a linear address, which is at `address`, be read or fetched, and written if it may be. */
export function enter(
  entry: usize,
  gva: u64,
  address: usize,
  isWritable: bool,
  isGlobal: bool,
  shift: u32,
): void {
  const page = gva & PAGE_MASK;
  if (watchedCount !== 0 && isWatched(page)) return;
  store<u64>(entry, page, TLB_ENTRY_READ_PAGE);
  store<u64>(entry, isWritable ? page : NO_PAGE, TLB_ENTRY_WRITE_PAGE);
  store<u32>(entry, (address - (gva as usize)) as u32, TLB_ENTRY_ADDEND);
  store<u32>(entry, isGlobal ? 1 : 0, TLB_ENTRY_GLOBAL);
  if (!isGlobal) noteLocal(entry);
  if (shift > 12) noteLarge(gva, shift);
}

function noteLocal(entry: usize): void {
  // Beyond, they are found by a look at all.
  if (localCount < MOST_LOCAL) store<u32>(unit + UNIT_LOCAL_ENTRIES + (localCount << 2), entry as u32);
  if (localCount <= MOST_LOCAL) localCount++;
}

export function empty(): void {
  memory.fill(tlbs, 0xff, (TLB_COUNT + 1) * TLB_BYTES + 2 * CODE_TLB_BYTES);
  memory.fill(unit + UNIT_LARGE_REGIONS, 0, UNIT_LARGE_REGIONS_BYTES);
  localCount = 0;
}

/** Forgets all but global pages (§4.10.2.4 "Global Pages"). */
export function emptyLocal(): void {
  if (localCount > MOST_LOCAL) {
    empty();
    return;
  }
  for (let at: u32 = 0; at < localCount; at++) {
    const entry: usize = load<u32>(unit + UNIT_LOCAL_ENTRIES + (at << 2));
    if (!isGlobalEntry(entry)) clear(entry);
  }
  localCount = 0;
}

/** Forgets one page. @returns whether it may be in a large page, of which everything is forgotten */
export function drop(gva: u64): bool {
  if (isInLargePage(gva)) {
    empty();
    return true;
  }
  for (let rights: u32 = 0; rights < TLB_COUNT; rights++) clear(dataEntry(rights, gva));
  clear(codeEntry(RIGHTS_USER, gva));
  clear(codeEntry(RIGHTS_SUPERVISOR, gva));
  return false;
}

function clear(entry: usize): void {
  store<u64>(entry, NO_PAGE, TLB_ENTRY_READ_PAGE);
  store<u64>(entry, NO_PAGE, TLB_ENTRY_WRITE_PAGE);
}

/** Regions that have translations of large pages, by their hash. */
function regionOf(gva: u64, shift: u64): usize {
  return unit + UNIT_LARGE_REGIONS + (((gva >>> shift) as usize) & (UNIT_LARGE_REGIONS_BYTES - 1));
}

function isInLargePage(gva: u64): bool {
  return load<u8>(regionOf(gva, LARGE_SHIFT)) !== 0 || load<u8>(regionOf(gva, HUGE_SHIFT)) !== 0;
}

function noteLarge(gva: u64, shift: u32): void {
  store<u8>(regionOf(gva, shift > 22 ? HUGE_SHIFT : LARGE_SHIFT), 1);
  // One of 4 MiB is two regions.
  if (shift === 22) store<u8>(regionOf(gva ^ ((1 as u64) << LARGE_SHIFT), LARGE_SHIFT), 1);
}

/** `count` pages are at UNIT_WATCHED, 8 bytes each. */
export function watch(count: u32): void {
  watchedCount = count;
  empty();
}

export function isWatching(): bool {
  return watchedCount !== 0;
}

function isWatched(page: u64): bool {
  for (let at: u32 = 0; at < watchedCount; at++)
    if (load<u64>(unit + UNIT_WATCHED + (at << 3)) === page) return true;
  return false;
}
