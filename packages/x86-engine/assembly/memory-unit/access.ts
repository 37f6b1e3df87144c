/** The interpreter's accesses to memory that its TLB does not serve. */
import {
  ACCESS_READ,
  ACCESS_WRITE,
  RIGHTS_USER,
  STATE_LINEAR_MASK,
  STATE_TLB,
  TLB_BYTES,
  TLB_COUNT,
} from '../../gen/layout';
import { endAfter, slowRead, slowWrite } from './host';
import { isWatching } from './tlb';
import { find, translate, wroteCode } from './translation';
import { state, tlbs } from './vcpu';

const PAGE_BYTES: u32 = 4096;
const ALL_BITS: u64 = ~(0 as u64);

/** (state, record, linear address, bytes) → address in our memory, or 0: it faulted, or is to be done otherwise. */
export function read(_: usize, record: usize, gva: u64, lengthBytes: u32): usize {
  const address = isOrdinary(gva, lengthBytes) ? readable(gva, lengthBytes) : 0;
  return address !== 0 ? address : slowRead(state, record, gva, lengthBytes);
}

export function write(_: usize, record: usize, gva: u64, lengthBytes: u32): usize {
  if (isOrdinary(gva, lengthBytes) && !crossesPage(gva, lengthBytes)) {
    const address = translate(gva, ACCESS_WRITE, rightsNow());
    // The instructions behind it may be what it writes: they are read again.
    if (wroteCode) endAfter(record);
    if (address !== 0) return address;
  }
  return slowWrite(state, record, gva, lengthBytes);
}

/** Across pages, too, where they are one behind the other in our memory as well. */
function readable(gva: u64, lengthBytes: u32): usize {
  const rights = rightsNow();
  const first = translate(gva, ACCESS_READ, rights);
  if (first === 0 || !crossesPage(gva, lengthBytes)) return first;
  const left = PAGE_BYTES - ((gva as u32) & (PAGE_BYTES - 1));
  return find(gva + left, ACCESS_READ, rights) === first + left ? first : 0;
}

/** The rights of the running code, whose TLB is in use: behind the others is that of users with alignment checks. */
export function rightsNow(): u32 {
  const tlb = tlbInUse();
  return tlb === TLB_COUNT ? RIGHTS_USER : tlb;
}

function tlbInUse(): u32 {
  return (load<u32>(state, STATE_TLB) - (tlbs as u32)) / TLB_BYTES;
}

function crossesPage(gva: u64, lengthBytes: u32): bool {
  return ((gva as u32) & (PAGE_BYTES - 1)) + lengthBytes > PAGE_BYTES;
}

/** Whether it is nobody's business: no debug register's, no alignment check's, and within the address space. */
function isOrdinary(gva: u64, lengthBytes: u32): bool {
  if (isWatching() || tlbInUse() === TLB_COUNT) return false;
  const last = gva + (lengthBytes - 1);
  const mask = load<u64>(state, STATE_LINEAR_MASK);
  return mask === ALL_BITS ? isCanonical(gva) && isCanonical(last) : last <= mask;
}

export function isCanonical(gva: u64): bool {
  return ((((gva as i64) << 16) >> 16) as u64) === gva;
}
