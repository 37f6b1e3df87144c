/** How linear addresses are translated, by the control registers (Intel SDM Vol. 3A §4.1.1 "Four Paging Modes"). */

export const CR0_PG = 1 << 31;
export const CR0_WP = 1 << 16;
export const CR4_PSE = 1 << 4;
export const CR4_PAE = 1 << 5;
export const CR4_PGE = 1 << 7;
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

export const PAGING_MODE = { none: 0, '32-bit': 1, PAE: 2, '4-level': 3 } as const;

/** What else the memory unit is told (assembly/memory-unit/page-walk.ts). */
export const PAGING_CONTROL = { PSE: 1, WP: 2, SMEP: 4, SMAP: 8, NXE: 16, PGE: 32 } as const;

export function pagingMode({ cr0, cr4, efer }: PagingControls): keyof typeof PAGING_MODE {
  if ((cr0 & CR0_PG) === 0) return 'none';
  if ((cr4 & CR4_PAE) === 0) return '32-bit';
  return (efer & EFER_LME) !== 0 ? '4-level' : 'PAE';
}

export function pagingControlBits({ cr0, cr4, efer }: PagingControls): number {
  const bit = (isSet: number, control: keyof typeof PAGING_CONTROL) => (isSet ? PAGING_CONTROL[control] : 0);
  return (
    bit(cr4 & CR4_PSE, 'PSE') |
    bit(cr0 & CR0_WP, 'WP') |
    bit(cr4 & CR4_SMEP, 'SMEP') |
    bit(cr4 & CR4_SMAP, 'SMAP') |
    bit(efer & EFER_NXE, 'NXE') |
    bit(cr4 & CR4_PGE, 'PGE')
  );
}

const NO_EXECUTE = 1n << 63n;
const below = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

/**
 * Bits that no entry of 8 bytes may have (Figures 4-7 and 4-11, "Formats of CR3 and Paging-Structure Entries"): those of
 * addresses that are too wide. In 4-level paging bits 52 to 62 are the operating system's; in PAE paging they are reserved.
 */
export function reservedEntryBits(controls: PagingControls): bigint {
  const end = pagingMode(controls) === 'PAE' ? 63 : 52;
  const tooWide = below(end) & ~below(controls.physicalBits);
  return tooWide | ((controls.efer & EFER_NXE) === 0 ? NO_EXECUTE : 0n);
}
