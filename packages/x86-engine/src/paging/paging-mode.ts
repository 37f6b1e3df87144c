/** How linear addresses are translated, by the control registers (Intel SDM Vol. 3A §4.1.1 "Four Paging Modes"). */

export const CR0_PG = 1 << 31;
export const CR0_WP = 1 << 16;
export const CR4_PSE = 1 << 4;
export const CR4_PAE = 1 << 5;
export const CR4_SMEP = 1 << 20;
export const CR4_SMAP = 1 << 21;
export const EFER_LME = 1 << 8;
export const EFER_NXE = 1 << 11;

/** What of a vCPU's state translation depends on. */
export interface PagingControls {
  readonly cr0: number;
  /** The address of the top table, without flags and PCID. */
  readonly rootGpa: number;
  readonly cr4: number;
  readonly efer: number;
  /** The width of physical addresses, at most 52: bits above are reserved. */
  readonly physicalBits: number;
}

/** One level of tables: which bits of a linear address index it, and whether an entry may map a page itself. */
export interface Level {
  readonly shift: number;
  readonly indexBits: number;
  readonly mayMapPage: boolean;
}

export interface PagingMode {
  readonly name: '32-bit' | 'PAE' | '4-level';
  readonly entryBytes: 4 | 8;
  /** From the top table to that of 4 KiB pages. */
  readonly levels: readonly Level[];
}

const level = (shift: number, indexBits: number, mayMapPage: boolean): Level => ({
  shift,
  indexBits,
  mayMapPage,
});

/** §4.3 "32-Bit Paging": pages of 4 MiB with CR4.PSE. */
const PAGING_32 = (cr4: number): PagingMode => ({
  name: '32-bit',
  entryBytes: 4,
  levels: [level(22, 10, (cr4 & CR4_PSE) !== 0), level(12, 10, true)],
});

/** §4.4 "PAE Paging": four entries of the top table, which are registers of the processor. */
const PAGING_PAE: PagingMode = {
  name: 'PAE',
  entryBytes: 8,
  levels: [level(30, 2, false), level(21, 9, true), level(12, 9, true)],
};

/** §4.5 "4-Level Paging and 5-Level Paging": pages of 1 GiB, 2 MiB and 4 KiB. */
const PAGING_4_LEVEL: PagingMode = {
  name: '4-level',
  entryBytes: 8,
  levels: [level(39, 9, false), level(30, 9, true), level(21, 9, true), level(12, 9, true)],
};

/** Undefined when paging is off. */
export function pagingMode({ cr0, cr4, efer }: PagingControls): PagingMode | undefined {
  if ((cr0 & CR0_PG) === 0) return undefined;
  if ((cr4 & CR4_PAE) === 0) return PAGING_32(cr4);
  return (efer & EFER_LME) !== 0 ? PAGING_4_LEVEL : PAGING_PAE;
}
