/**
 * The software TLB: for each vCPU a table that says where a page of linear addresses is in our memory. An access that it
 * does not allow goes the slow way: the page walk, device memory, accesses across pages.
 */
export const TLB_ENTRIES = 1024;

/** A page's linear address, or this: no page's. */
export const NO_PAGE = -1n;

export const TLB_ENTRY = {
  /** The page that may be read through this entry. 64 bits, like the next two. */
  readPage: 0,
  writePage: 8,
  /** What to add to the low 32 bits of a linear address. 32 bits. */
  addend: 16,
} as const;

export const TLB_ENTRY_BYTES = 32;
export const TLB_BYTES = TLB_ENTRIES * TLB_ENTRY_BYTES;
