/**
 * The software TLB: for each vCPU a table that says where a page of linear addresses is in our memory. An access that it
 * does not allow goes the slow way: the page walk, device memory, accesses across pages.
 */
export const TLB_ENTRIES = 1024;

/** A page's linear address, or this: no page's. */
const NO_PAGE = -1n;

export const TLB_ENTRY = {
  /** The page that may be read through this entry. 64 bits, like the next two. */
  readPage: 0,
  writePage: 8,
  /** What to add to the low 32 bits of a linear address. 32 bits. */
  addend: 16,
  /** 1: of a global page, which a change of CR3 leaves. 32 bits. */
  global: 20,
} as const;

export const TLB_ENTRY_BYTES = 32;
export const TLB_BYTES = TLB_ENTRIES * TLB_ENTRY_BYTES;

/** Those of code are the memory unit's alone. */
export const CODE_TLB_ENTRIES = 256;
export const CODE_TLB_BYTES = CODE_TLB_ENTRIES * TLB_ENTRY_BYTES;

/** No page has an address of ones only. */
export function emptyTlb(memory: Uint8Array, tlb: number): void {
  memory.fill(0xff, tlb, tlb + TLB_BYTES);
}

/** The address of a page's entry. */
export function tlbEntry(tlb: number, gva: bigint): number {
  return tlb + Number((gva >> 12n) & BigInt(TLB_ENTRIES - 1)) * TLB_ENTRY_BYTES;
}

/** Lets a page be read, and written if it may be; `address` is where it is in our memory. @returns its entry */
export function setTlbEntry(
  view: DataView,
  tlb: number,
  { gva, address, writable }: { readonly gva: bigint; readonly address: number; readonly writable: boolean },
): number {
  const entry = tlbEntry(tlb, gva);
  view.setBigUint64(entry + TLB_ENTRY.readPage, gva, true);
  view.setBigUint64(entry + TLB_ENTRY.writePage, writable ? gva : NO_PAGE, true);
  view.setInt32(entry + TLB_ENTRY.addend, address - Number(BigInt.asIntN(32, gva)), true);
  return entry;
}
