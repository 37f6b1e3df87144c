/**
 * Where decoded code is, by its linear address: what jumps look into. An entry is found by the address only, so a table
 * is emptied when addresses come to mean something else.
 */
export const CODE_TABLE_ENTRIES = 8192;

export const CODE_TABLE_ENTRY = {
  /** 64 bits; of an empty entry `NO_CODE`. */
  rip: 0,
  /** The address of its first record. 32 bits. */
  record: 8,
} as const;

export const CODE_TABLE_ENTRY_BYTES = 16;
export const CODE_TABLE_BYTES = CODE_TABLE_ENTRIES * CODE_TABLE_ENTRY_BYTES;

/** Not canonical: no code is there. */
const NO_CODE = 0x8000_0000_0000_0000n;

export function emptyCodeTable(view: DataView, table: number): void {
  for (let entry = table; entry < table + CODE_TABLE_BYTES; entry += CODE_TABLE_ENTRY_BYTES)
    view.setBigUint64(entry + CODE_TABLE_ENTRY.rip, NO_CODE, true);
}

/** The place of an address; the same is computed in WebAssembly (interpreter/goto-function.ts). */
export function codeTablePlace(rip: bigint): number {
  const low = Number(BigInt.asUintN(32, rip));
  return (low ^ (low >>> 13)) & (CODE_TABLE_ENTRIES - 1);
}
