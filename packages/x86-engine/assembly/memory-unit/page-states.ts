/** What is known of pages of ours, and their log (memory/page-states.ts, whose words these are). */
import { DIRTY_PAGES, PAGE_CODE, PAGE_STATES, PAGE_VERSION_SHIFT, PAGE_WRITABLE } from '../../gen/layout';

const PAGE_BITS: usize = 12;

function wordOf(address: usize): usize {
  return PAGE_STATES + ((address >>> PAGE_BITS) << 2);
}

export function version(address: usize): u32 {
  return atomic.load<u32>(wordOf(address)) >>> PAGE_VERSION_SHIFT;
}

export function isCode(address: usize): bool {
  return (atomic.load<u32>(wordOf(address)) & PAGE_CODE) !== 0;
}

/** To be called before a page is written. @returns whether code follows from it, which all vCPUs must then forget */
export function markWritable(address: usize): bool {
  const at = wordOf(address);
  while (true) {
    const word = atomic.load<u32>(at);
    const isCodeNow = (word & PAGE_CODE) !== 0;
    if (!isCodeNow && (word & PAGE_WRITABLE) !== 0) return false;
    const next = isCodeNow
      ? (((word >>> PAGE_VERSION_SHIFT) + 1) << PAGE_VERSION_SHIFT) | PAGE_WRITABLE
      : word | PAGE_WRITABLE;
    if (atomic.cmpxchg<u32>(at, word, next) === word) return isCodeNow;
  }
}

export function markDirty(address: usize): void {
  atomic.store<u8>(DIRTY_PAGES + (address >>> PAGE_BITS), 1);
}
