/** From linear addresses to guest memory, with the vCPU's translations kept in its TLBs. */

import { TLB_COUNT } from '../memory-map.ts';
import { PageWalk, type Translation as Walked } from '../paging/page-walk.ts';
import type { PagingControls } from '../paging/paging-mode.ts';
import { emptyTlb, emptyTlbEntry, setTlbEntry, TLB_BYTES, TLB_ENTRY, tlbEntry } from '../tlb.ts';
import { NO_MEMORY, type PhysicalMemory } from './physical-memory.ts';
import type { MappedSlot } from './slot-table.ts';

export type AccessKind = 'read' | 'write' | 'execute';

/** Whose rights count: each has a TLB of its own. 'allowed': a supervisor with RFLAGS.AC, under SMAP. */
export type Rights = 'user' | 'supervisor' | 'allowed';
const TLB_OF: Readonly<Record<Rights, number>> = { user: 0, supervisor: 1, allowed: 2 };

const PAGE_BITS = 12n;
const PAGE_BYTES = 4096;
const CR4_PGE = 1 << 7;
/** Regions of 2 MiB and of 1 GiB that have translations of large pages, by their hash. */
const REGIONS = 4096;
const LARGE_PAGE_BITS = 21n;
const HUGE_PAGE_BITS = 30n;
const MOST_LARGE_BYTES = 2 ** 22;

/** Where a page is: at an address of ours, or, where that is NO_MEMORY, a device's. */
export interface Place {
  readonly address: number;
  readonly gpa: number;
  readonly isGlobal: boolean;
  /** Of a write to read-only memory, which is a device's: where it can be read. */
  readonly readAddress?: number;
}

export interface Fault {
  readonly errorCode: number;
}

export class Translations {
  readonly #memory: PhysicalMemory;
  readonly #tlbs: number;
  readonly #largeRegions = new Uint8Array(REGIONS);
  #walk: PageWalk;
  /** Entries that were made for pages that are not global. */
  #localEntries: number[] = [];
  #hasGlobalPages = false;
  /** Pages that never enter a TLB, so that each access to them is seen (debug registers). */
  watchedPages: ReadonlySet<bigint> = new Set();

  constructor(memory: PhysicalMemory, tlbs: number) {
    this.#memory = memory;
    this.#tlbs = tlbs;
    this.#walk = new PageWalk(memory, { cr0: 0, rootGpa: 0, cr4: 0, efer: 0, physicalBits: 40 });
    this.empty();
  }

  setControls(controls: PagingControls): void {
    this.#walk = new PageWalk(this.#memory, controls);
    this.#hasGlobalPages = (controls.cr4 & CR4_PGE) !== 0;
  }

  /** The address of the TLB for accesses with these rights. */
  tlbOf(rights: Rights): number {
    return this.#tlbs + TLB_OF[rights] * TLB_BYTES;
  }

  empty(): void {
    for (let tlb = 0; tlb < TLB_COUNT; tlb++) emptyTlb(this.#memory.bytes, this.#tlbs + tlb * TLB_BYTES);
    this.#largeRegions.fill(0);
    this.#localEntries = [];
  }

  /** Forgets all but global pages (Intel SDM Vol. 3A §4.10.2.4 "Global Pages"). */
  emptyLocal(): void {
    for (const entry of this.#localEntries)
      if (this.#memory.view.getInt32(entry + TLB_ENTRY.global, true) === 0)
        emptyTlbEntry(this.#memory.view, entry);
    this.#localEntries = [];
  }

  /** Forgets one page, and all of the large page that it is in. */
  drop(gva: bigint): void {
    if (this.#largeRegions[region(gva, LARGE_PAGE_BITS)] || this.#largeRegions[region(gva, HUGE_PAGE_BITS)]) {
      this.empty();
      return;
    }
    for (let tlb = 0; tlb < TLB_COUNT; tlb++)
      emptyTlbEntry(this.#memory.view, tlbEntry(this.#tlbs + tlb * TLB_BYTES, gva));
  }

  /** `gva` is canonical, as the mode has it. The page becomes one of the TLB's where it is memory. */
  translate(gva: bigint, kind: AccessKind, rights: Rights): Place | Fault {
    const user = rights === 'user';
    const walked = this.#walk.translate(gva, { kind, user, alignmentCheckFlag: rights === 'allowed' });
    if ('errorCode' in walked) return walked;
    const slot = this.#memory.slots.find(walked.gpa);
    const isGlobal = walked.global && this.#hasGlobalPages;
    if (slot === undefined) return { address: NO_MEMORY, gpa: walked.gpa, isGlobal };
    const address = slot.address + (walked.gpa - slot.gpa);
    if (kind === 'write') {
      if (slot.readonly) return { address: NO_MEMORY, gpa: walked.gpa, isGlobal, readAddress: address };
      this.#memory.prepareWrite(slot, address);
    }
    if (kind !== 'execute') this.#enter(gva, walked, slot, { address, kind, rights });
    return { address, gpa: walked.gpa, isGlobal };
  }

  #enter(
    gva: bigint,
    walked: Walked,
    slot: MappedSlot,
    { address, kind, rights }: { address: number; kind: AccessKind; rights: Rights },
  ): void {
    const page = (gva >> PAGE_BITS) << PAGE_BITS;
    if (this.watchedPages.has(page)) return;
    const { view, states } = this.#memory;
    let writable = kind === 'write';
    if (!writable && walked.mayWrite && !slot.readonly && !slot.logsDirtyPages && !states.isCode(address)) {
      writable = true;
      this.#memory.prepareWrite(slot, address);
    }
    const start = address - (address % PAGE_BYTES);
    const entry = setTlbEntry(view, this.tlbOf(rights), { gva: page, address: start, writable });
    const isGlobal = walked.global && this.#hasGlobalPages;
    view.setInt32(entry + TLB_ENTRY.global, isGlobal ? 1 : 0, true);
    if (!isGlobal) this.#localEntries.push(entry);
    if (walked.pageBytes > PAGE_BYTES) this.#noteLargePage(gva, walked.pageBytes);
  }

  #noteLargePage(gva: bigint, pageBytes: number): void {
    this.#largeRegions[region(gva, pageBytes > MOST_LARGE_BYTES ? HUGE_PAGE_BITS : LARGE_PAGE_BITS)] = 1;
    // One of 4 MiB is two regions.
    if (pageBytes === MOST_LARGE_BYTES)
      this.#largeRegions[region(gva ^ (1n << LARGE_PAGE_BITS), LARGE_PAGE_BITS)] = 1;
  }
}

function region(gva: bigint, bits: bigint): number {
  return Number((gva >> bits) & BigInt(REGIONS - 1));
}
