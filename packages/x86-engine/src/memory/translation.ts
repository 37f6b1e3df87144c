/** From linear addresses to guest memory: the memory unit's answers, as the system's side takes them. */

import { UNIT, type VcpuArea } from '../memory-map.ts';
import {
  PAGING_MODE,
  type PagingControls,
  pagingControlBits,
  pagingMode,
  reservedEntryBits,
} from '../paging/paging-mode.ts';
import { TLB_BYTES } from '../tlb.ts';
import type { MemoryUnit } from './memory-unit.ts';
import { NO_MEMORY } from './physical-memory.ts';
import { ACCESS, type AccessKind, OUTCOME, RIGHTS, type Rights } from './unit-numbers.ts';

/** Where a page is: at an address of ours, or, where that is NO_MEMORY, a device's. */
export interface Place {
  readonly address: number;
  readonly gpa: number;
  /** Of a write to read-only memory, which is a device's: where it can be read. */
  readonly readAddress?: number;
}

export interface Fault {
  readonly errorCode: number;
}

export class Translations {
  readonly #unit: MemoryUnit;
  readonly #area: VcpuArea;
  readonly #view: DataView;
  #watchedPages: ReadonlySet<bigint> = new Set();

  constructor(unit: MemoryUnit, area: VcpuArea, view: DataView) {
    this.#unit = unit;
    this.#area = area;
    this.#view = view;
  }

  setControls(controls: PagingControls): void {
    this.#unit.setControls(
      PAGING_MODE[pagingMode(controls)],
      pagingControlBits(controls),
      BigInt(controls.rootGpa),
      reservedEntryBits(controls),
    );
  }

  /** Pages that never enter a TLB, so that each access to them is seen (debug registers). */
  get watchedPages(): ReadonlySet<bigint> {
    return this.#watchedPages;
  }

  set watchedPages(pages: ReadonlySet<bigint>) {
    this.#watchedPages = pages;
    for (const [place, page] of [...pages].entries())
      this.#view.setBigUint64(this.#area.unit + UNIT.watched + place * 8, page, true);
    this.#unit.watch(pages.size);
  }

  /** The address of the TLB for accesses with these rights. */
  tlbOf(rights: Rights): number {
    return this.#area.tlbs + RIGHTS[rights] * TLB_BYTES;
  }

  /** The address of ours, if it is memory, of what is within a page; else NO_MEMORY. */
  addressOf(gva: bigint, kind: AccessKind, rights: Rights): number {
    return this.#unit.find(gva, ACCESS[kind], RIGHTS[rights]) >>> 0;
  }

  /** `gva` is canonical, as the mode has it. */
  translate(gva: bigint, kind: AccessKind, rights: Rights): Place | Fault {
    const address = this.addressOf(gva, kind, rights);
    return address === NO_MEMORY ? this.noAddress() : { address, gpa: 0 };
  }

  /** What the unit has found instead of an address. */
  noAddress(): Place | Fault {
    const unit = this.#unit;
    const gpa = Number(unit.gpa.value);
    switch (unit.outcome.value) {
      case OUTCOME.fault:
        return { errorCode: unit.errorCode.value };
      case OUTCOME.readOnly:
        return { address: NO_MEMORY, gpa, readAddress: unit.readAddress.value >>> 0 };
      default:
        return { address: NO_MEMORY, gpa };
    }
  }
}
