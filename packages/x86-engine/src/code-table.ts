/**
 * Where decoded code is, by its linear address: what jumps look into. An entry counts while its generation is the vCPU's
 * local or global one: a new local generation drops all entries but those of global pages, and both drop all (Intel SDM
 * Vol. 3A §4.10.4.1 "Operations that Invalidate TLBs and Paging-Structure Caches").
 */
export const CODE_TABLE_ENTRIES = 32768;

export const CODE_TABLE_ENTRY = {
  /** 64 bits; of an empty entry `NO_CODE`. */
  rip: 0,
  /** The address of its first record. 32 bits. */
  record: 8,
  /** 32 bits. */
  generation: 12,
} as const;

export const CODE_TABLE_ENTRY_BYTES = 16;
export const CODE_TABLE_BYTES = CODE_TABLE_ENTRIES * CODE_TABLE_ENTRY_BYTES;

/** Not canonical: no code is there. */
export const NO_CODE = 0x8000_0000_0000_0000n;

export function emptyCodeTable(view: DataView, table: number): void {
  for (let entry = table; entry < table + CODE_TABLE_BYTES; entry += CODE_TABLE_ENTRY_BYTES)
    view.setBigUint64(entry + CODE_TABLE_ENTRY.rip, NO_CODE, true);
}

export const CODE_TABLE_FOLD_SHIFT = 13;

/** The place of an address; the same is computed in WebAssembly (interpreter/goto-function.ts, assembly/memory-unit). */
export function codeTablePlace(rip: bigint): number {
  const low = Number(BigInt.asUintN(32, rip));
  return (low ^ (low >>> CODE_TABLE_FOLD_SHIFT)) & (CODE_TABLE_ENTRIES - 1);
}
