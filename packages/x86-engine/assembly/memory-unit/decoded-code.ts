/**
 * Finds a vCPU's decoded code. Stretches of records are found by the physical place and the mode of their code; what jumps
 * look into (code-table.ts) finds them by linear addresses, and is filled from here.
 *
 * A stretch counts while the versions of the pages that its bytes are on have not changed (page-states.ts). Writes by the
 * host, a device's, change no version: so a stretch is compared with its bytes when it is found by a linear address that was
 * forgotten, as those of a page are that the guest has filled by a device and mapped anew.
 */
import {
  ACCESS_EXECUTE,
  CODE_BEYOND_LIMIT,
  CODE_NOT_DECODED,
  CODE_NOT_MEMORY,
  CODE_TABLE_ENTRIES,
  CODE_TABLE_ENTRY_BYTES,
  CODE_TABLE_ENTRY_GENERATION,
  CODE_TABLE_ENTRY_RECORD,
  CODE_TABLE_ENTRY_RIP,
  CODE_TABLE_FOLD_SHIFT,
  STATE_CODE_LIMIT,
  STATE_CODE_SEGMENT_BASE,
  STATE_GLOBAL_GENERATION,
  STATE_LINEAR_MASK,
  STATE_LOCAL_GENERATION,
  STRETCH_BYTES,
  STRETCHES,
  UNIT_CODE_PAGES,
  UNIT_CODE_PAGES_BYTES,
  UNIT_STRETCHES,
} from '../../gen/layout';
import { isCanonical, rightsNow } from './access';
import { version } from './page-states';
import { codeEntry, drop, isGlobalPage } from './tlb';
import { find } from './translation';
import { codeTable, state, unit } from './vcpu';

/** What came of the last search that found nothing (CODE_OUTCOME of memory/unit-numbers.ts). */
export let codeOutcome: u32 = 0;
/** Of code that is not decoded: where it is in our memory. */
export let codeAddress: usize = 0;

/** What code is decoded as: 16, 32 or 64 bits. */
let modeBits: u32 = 16;

const PAGE_BYTES: usize = 4096;
/** Generations of the two kinds are never the same number, nor 0, which empty entries of the table have. */
const FIRST_LOCAL_GENERATION: u32 = 1;
const FIRST_GLOBAL_GENERATION: u32 = 2;
const GENERATION_STEP: u32 = 2;

// A stretch. All are of 32 bits; a place without one has no address.
const ADDRESS: usize = 0;
/** Of its bytes in the low half, and its mode in the high one. */
const LENGTH_AND_MODE: usize = 4;
const RECORD: usize = 8;
const VERSION: usize = 12;
/** Of the page after it, where the only instruction goes on there; else 0. */
const NEXT_ADDRESS: usize = 16;
const NEXT_VERSION: usize = 20;
/** Where a copy of its bytes is. */
const BYTES: usize = 24;
/** How many places of the table a stretch may be at. */
const WAYS: u32 = 4;

export function setCodeMode(newModeBits: u32): void {
  modeBits = newModeBits;
}

/** The record of the instruction at an address in the code segment, or 0: `codeOutcome`. */
export function findCode(rip: u64): usize {
  if (!isInside(rip)) {
    codeOutcome = CODE_BEYOND_LIMIT;
    return 0;
  }
  const linear = linearOf(rip);
  codeAddress = find(linear, ACCESS_EXECUTE, rightsNow());
  if (codeAddress === 0) {
    codeOutcome = CODE_NOT_MEMORY;
    return 0;
  }
  const stretch = findStretch(rip, linear);
  if (stretch === 0) {
    codeOutcome = CODE_NOT_DECODED;
    return 0;
  }
  enterCode(linear, stretch);
  return load<u32>(stretch, RECORD);
}

function linearOf(rip: u64): u64 {
  return (rip + load<u64>(state, STATE_CODE_SEGMENT_BASE)) & load<u64>(state, STATE_LINEAR_MASK);
}

function isInside(rip: u64): bool {
  return modeBits === 64 ? isCanonical(rip) : rip <= load<u64>(state, STATE_CODE_LIMIT);
}

/** The place of the stretch at `codeAddress`, if it counts, or 0. */
function findStretch(rip: u64, linear: u64): usize {
  for (let way: u32 = 0; way < WAYS; way++) {
    const stretch = stretchAt(codeAddress, way);
    if (isOf(stretch, codeAddress))
      return isInside(rip + bytesOf(stretch) - 1) && isCurrent(stretch, linear) ? stretch : 0;
  }
  return 0;
}

function stretchAt(address: usize, way: u32): usize {
  const hash = ((address as u32) ^ ((address as u32) >>> 15) ^ (modeBits << 4)) + way;
  return unit + UNIT_STRETCHES + (hash & (STRETCHES - 1)) * STRETCH_BYTES;
}

function isOf(stretch: usize, address: usize): bool {
  return (
    load<u32>(stretch, ADDRESS) === (address as u32) &&
    load<u32>(stretch, LENGTH_AND_MODE) >>> 16 === modeBits
  );
}

function bytesOf(stretch: usize): usize {
  return load<u32>(stretch, LENGTH_AND_MODE) & 0xffff;
}

function isCurrent(stretch: usize, linear: u64): bool {
  const address: usize = load<u32>(stretch, ADDRESS);
  if (version(address) !== load<u32>(stretch, VERSION)) return false;
  const length = bytesOf(stretch);
  const bytes: usize = load<u32>(stretch, BYTES);
  const nextAddress: usize = load<u32>(stretch, NEXT_ADDRESS);
  if (nextAddress === 0) return isSame(address, bytes, length);
  // The page may be followed by another one here.
  if (find(nextPage(linear), ACCESS_EXECUTE, rightsNow()) !== nextAddress) return false;
  if (version(nextAddress) !== load<u32>(stretch, NEXT_VERSION)) return false;
  const left = PAGE_BYTES - (address & (PAGE_BYTES - 1));
  return isSame(address, bytes, left) && isSame(nextAddress, bytes + left, length - left);
}

function isSame(a: usize, b: usize, lengthBytes: usize): bool {
  let at: usize = 0;
  for (; at + 8 <= lengthBytes; at += 8) if (load<u64>(a + at) !== load<u64>(b + at)) return false;
  for (; at < lengthBytes; at++) if (load<u8>(a + at) !== load<u8>(b + at)) return false;
  return true;
}

function nextPage(linear: u64): u64 {
  return ((linear | 0xfff) + 1) & load<u64>(state, STATE_LINEAR_MASK);
}

/** Remembers what has been decoded of the code at an address of ours, which is where `rip` is now. */
export function keepCode(
  rip: u64,
  address: usize,
  addressVersion: u32,
  record: usize,
  bytes: usize,
  lengthBytes: u32,
  nextAddress: usize,
  nextVersion: u32,
): void {
  const stretch = placeFor(address);
  store<u32>(stretch, address as u32, ADDRESS);
  store<u32>(stretch, lengthBytes | (modeBits << 16), LENGTH_AND_MODE);
  store<u32>(stretch, record as u32, RECORD);
  store<u32>(stretch, addressVersion, VERSION);
  store<u32>(stretch, nextAddress as u32, NEXT_ADDRESS);
  store<u32>(stretch, nextVersion, NEXT_VERSION);
  store<u32>(stretch, bytes as u32, BYTES);
  enterCode(linearOf(rip), stretch);
}

/** That of older code at the same place, else a free one, else the first. */
function placeFor(address: usize): usize {
  let free: usize = 0;
  for (let way: u32 = 0; way < WAYS; way++) {
    const stretch = stretchAt(address, way);
    if (isOf(stretch, address)) return stretch;
    if (free === 0 && load<u32>(stretch, ADDRESS) === 0) free = stretch;
  }
  return free !== 0 ? free : stretchAt(address, 0);
}

function enterCode(linear: u64, stretch: usize): void {
  const entry = codeTable + placeOf(linear) * CODE_TABLE_ENTRY_BYTES;
  const nextAddress = load<u32>(stretch, NEXT_ADDRESS);
  const isGlobal = nextAddress === 0 && isGlobalPage(codeEntry(rightsNow(), linear), linear);
  store<u64>(entry, linear, CODE_TABLE_ENTRY_RIP);
  store<u32>(entry, load<u32>(stretch, RECORD), CODE_TABLE_ENTRY_RECORD);
  store<u32>(
    entry,
    load<u32>(state + (isGlobal ? STATE_GLOBAL_GENERATION : STATE_LOCAL_GENERATION)),
    CODE_TABLE_ENTRY_GENERATION,
  );
  store<u8>(codePage(linear), 1);
  if (nextAddress !== 0) store<u8>(codePage(nextPage(linear)), 1);
}

function placeOf(linear: u64): usize {
  const low = linear as u32;
  return (low ^ (low >>> CODE_TABLE_FOLD_SHIFT)) & (CODE_TABLE_ENTRIES - 1);
}

/** Pages of linear addresses that some entry is or was of, by their hash. */
function codePage(linear: u64): usize {
  return unit + UNIT_CODE_PAGES + (((linear >>> 12) as usize) & (UNIT_CODE_PAGES_BYTES - 1));
}

/** Nothing is decoded; what an earlier vCPU with this state left is forgotten. Fresh memory is not touched, and takes none. */
export function startCode(): void {
  if (load<u32>(state + STATE_LOCAL_GENERATION) !== 0) {
    forgetStretches();
    return;
  }
  store<u32>(state + STATE_LOCAL_GENERATION, FIRST_LOCAL_GENERATION);
  store<u32>(state + STATE_GLOBAL_GENERATION, FIRST_GLOBAL_GENERATION);
}

/** Linear addresses may mean something else now: all, or all but those of global pages. */
export function forgetCode(all: bool): void {
  advance(STATE_LOCAL_GENERATION);
  if (!all) return;
  advance(STATE_GLOBAL_GENERATION);
  memory.fill(unit + UNIT_CODE_PAGES, 0, UNIT_CODE_PAGES_BYTES);
}

/** The same for a linear address, and the large page that it may be on; of translations, too. */
export function dropPage(gva: u64): void {
  if (drop(gva) || load<u8>(codePage(gva)) !== 0) forgetCode(true);
}

/** There are no records any more. */
export function forgetStretches(): void {
  memory.fill(unit + UNIT_STRETCHES, 0, STRETCHES * STRETCH_BYTES);
  forgetCode(true);
}

function advance(generation: usize): void {
  store<u32>(state + generation, load<u32>(state + generation) + GENERATION_STEP);
}
