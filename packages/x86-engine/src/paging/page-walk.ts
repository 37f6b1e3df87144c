/**
 * From a linear address to a physical one, through the guest's page tables: rights, accessed and dirty flags, and the
 * error code of the page fault where it does not go (Intel SDM Vol. 3A chapter 4 "Paging").
 */
import {
  CR0_WP,
  CR4_SMAP,
  CR4_SMEP,
  EFER_NXE,
  type PagingControls,
  type PagingMode,
  pagingMode,
} from './paging-mode.ts';

/** Guest physical memory as the walk needs it. What is no memory reads as 0, and is not changed. */
export interface PageTableMemory {
  /** 32 bits, little-endian. */
  read(gpa: number): number;
  /** Sets bits of the low half of an entry atomically, if it still is `expected`. @returns whether it was */
  setBits(gpa: number, expected: number, bits: number): boolean;
}

export interface Access {
  readonly kind: 'read' | 'write' | 'execute';
  /** CPL 3; accesses of the processor itself, to descriptors, are not. */
  readonly user: boolean;
  /** RFLAGS.AC, which lets supervisor code reach user pages in spite of SMAP. */
  readonly alignmentCheckFlag?: boolean;
}

export interface Translation {
  readonly gpa: number;
  readonly pageBytes: number;
  /** What else may be done through the page now: the dirty flag is set, and rights allow it. */
  readonly mayWrite: boolean;
  readonly mayExecute: boolean;
  readonly user: boolean;
  readonly global: boolean;
}

/** A page fault's error code (§4.7 "Page-Fault Exceptions"). */
export interface PageFault {
  readonly errorCode: number;
}

export const PF_PRESENT = 1;
export const PF_WRITE = 2;
export const PF_USER = 4;
export const PF_RESERVED = 8;
export const PF_INSTRUCTION = 16;

const PRESENT = 1;
const WRITABLE = 2;
const USER = 4;
const ACCESSED = 32;
const DIRTY = 64;
const PAGE_SIZE = 128;
const GLOBAL = 256;
/** In the high half of an entry of 8 bytes. */
const NO_EXECUTE = 1 << 31;

const PAGE_BYTES = 4096;
const HIGH = 2 ** 32;

interface Entry {
  readonly gpa: number;
  readonly low: number;
  readonly high: number;
}

/** Rights that all levels must give. */
interface Rights {
  writable: boolean;
  user: boolean;
  executable: boolean;
}

export class PageWalk {
  readonly #memory: PageTableMemory;
  readonly #controls: PagingControls;
  readonly #mode: PagingMode | undefined;

  constructor(memory: PageTableMemory, controls: PagingControls) {
    this.#memory = memory;
    this.#controls = controls;
    this.#mode = pagingMode(controls);
  }

  /** `gva` is canonical where the mode has 64-bit addresses, else of 32 bits. */
  translate(gva: bigint, access: Access): Translation | PageFault {
    if (this.#mode === undefined) return unpaged(Number(BigInt.asUintN(32, gva)));
    // Another processor may change an entry between our look at it and our setting of its flags: then again.
    for (;;) {
      const result = this.#walk(this.#mode, Number(BigInt.asUintN(48, gva)), access);
      if (result !== undefined) return result;
    }
  }

  #walk(mode: PagingMode, linear: number, access: Access): Translation | PageFault | undefined {
    const rights: Rights = { writable: true, user: true, executable: true };
    const path: Entry[] = [];
    let tableGpa = this.#controls.rootGpa;
    for (const { shift, indexBits, mayMapPage } of mode.levels) {
      const index = Math.floor(linear / 2 ** shift) % 2 ** indexBits;
      const entry = this.#read(tableGpa + index * mode.entryBytes, mode);
      if ((entry.low & PRESENT) === 0) return this.#fault(access, 0);
      const mapsPage = mayMapPage && (shift === 12 || (entry.low & PAGE_SIZE) !== 0);
      if (this.#hasReservedBits(entry, mode, shift, mapsPage))
        return this.#fault(access, PF_PRESENT | PF_RESERVED);
      // The top entries of PAE paging are no page-table entries: they have no rights and no flags (§4.4.1).
      if (!(mode.name === 'PAE' && shift === 30)) {
        narrow(rights, entry, (this.#controls.efer & EFER_NXE) !== 0);
        path.push(entry);
      }
      if (mapsPage) return this.#arrive(entry, path, rights, { shift, linear, access, mode });
      tableGpa = tableOf(entry);
    }
    throw new Error('the last level maps pages');
  }

  #arrive(
    entry: Entry,
    path: readonly Entry[],
    rights: Rights,
    { shift, linear, access, mode }: { shift: number; linear: number; access: Access; mode: PagingMode },
  ): Translation | PageFault | undefined {
    if (!this.#isAllowed(rights, access)) return this.#fault(access, PF_PRESENT);
    for (const it of path) {
      const wanted = ACCESSED | (it === entry && access.kind === 'write' ? DIRTY : 0);
      if ((it.low & wanted) !== wanted && !this.#memory.setBits(it.gpa, it.low, wanted)) return undefined;
    }
    const pageBytes = 2 ** shift;
    const isDirty = access.kind === 'write' || (entry.low & DIRTY) !== 0;
    return {
      gpa: pageGpa(entry, mode, shift) + (linear % pageBytes),
      pageBytes,
      mayWrite: isDirty && this.#isAllowed(rights, { ...access, kind: 'write' }),
      mayExecute: this.#isAllowed(rights, { ...access, kind: 'execute' }),
      user: rights.user,
      global: (entry.low & GLOBAL) !== 0,
    };
  }

  #read(gpa: number, { entryBytes }: PagingMode): Entry {
    const low = this.#memory.read(gpa);
    return { gpa, low, high: entryBytes === 8 ? this.#memory.read(gpa + 4) : 0 };
  }

  /** §4.6.1 "Determination of Access Rights". */
  #isAllowed({ writable, user, executable }: Rights, access: Access): boolean {
    const { cr0, cr4 } = this.#controls;
    if (access.user) {
      if (!user) return false;
      if (access.kind === 'write') return writable;
      return access.kind === 'read' || executable;
    }
    if (access.kind === 'execute') return executable && !(user && (cr4 & CR4_SMEP) !== 0);
    if (user && (cr4 & CR4_SMAP) !== 0 && !access.alignmentCheckFlag) return false;
    return access.kind === 'read' || writable || (cr0 & CR0_WP) === 0;
  }

  #fault({ kind, user }: Access, code: number): PageFault {
    const { cr4, efer } = this.#controls;
    const tellsFetches = (cr4 & CR4_SMEP) !== 0 || (efer & EFER_NXE) !== 0;
    return {
      errorCode:
        code |
        (kind === 'write' ? PF_WRITE : 0) |
        (user ? PF_USER : 0) |
        (kind === 'execute' && tellsFetches ? PF_INSTRUCTION : 0),
    };
  }

  /** Bits that must be 0 (Figures 4-4, 4-7 and 4-11, "Formats of CR3 and Paging-Structure Entries"). */
  #hasReservedBits({ low, high }: Entry, mode: PagingMode, shift: number, mapsPage: boolean): boolean {
    if (mode.entryBytes === 4) return false;
    const { efer, physicalBits } = this.#controls;
    const isTopOfPae = mode.name === 'PAE' && shift === 30;
    // In 4-level paging bits 52 to 62 are the operating system's; in PAE paging they are reserved.
    const addressMask = mode.name === 'PAE' ? 0x7fffffff : 0xfffff;
    const beyond = addressMask & ~(2 ** (physicalBits - 32) - 1);
    if ((high & beyond) !== 0) return true;
    if ((high & NO_EXECUTE) !== 0 && (isTopOfPae || (efer & EFER_NXE) === 0)) return true;
    if (isTopOfPae) return (low & 0x1e6) !== 0;
    if (!mapsPage && shift === 39) return (low & PAGE_SIZE) !== 0;
    // Of a large page, the address bits that the offset covers, but for the lowest, which is the PAT's.
    return mapsPage && shift > 12 && (low & (2 ** Math.min(shift, 31) - 1) & ~0x1fff) !== 0;
  }
}

function narrow(rights: Rights, { low, high }: Entry, hasNoExecute: boolean): void {
  rights.writable &&= (low & WRITABLE) !== 0;
  rights.user &&= (low & USER) !== 0;
  rights.executable &&= !(hasNoExecute && (high & NO_EXECUTE) !== 0);
}

/** Bits 51 to 12. */
function tableOf({ low, high }: Entry): number {
  return (high & 0xfffff) * HIGH + ((low & -PAGE_BYTES) >>> 0);
}

function pageGpa(entry: Entry, mode: PagingMode, shift: number): number {
  if (mode.entryBytes === 4 && shift === 22) {
    // PSE-36: bits 20 to 13 are address bits 39 to 32 (Table 4-4).
    return ((entry.low >>> 13) & 0xff) * HIGH + ((entry.low & 0xffc00000) >>> 0);
  }
  const gpa = tableOf(entry);
  return gpa - (gpa % 2 ** shift);
}

function unpaged(gpa: number): Translation {
  return { gpa, pageBytes: PAGE_BYTES, mayWrite: true, mayExecute: true, user: true, global: false };
}
