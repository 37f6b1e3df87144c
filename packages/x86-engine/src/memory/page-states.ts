/**
 * What is known of each page of the engine's memory that backs guest memory: whether decoded code follows from what is in
 * it, and which version of it; and whether it was written while a log was kept.
 *
 * A page that has been decoded is writable through no TLB. The first write to it takes the slow way, which makes it a new
 * version and writable; decoding it again makes it unwritable again. So code that is changed, by any vCPU, is noticed
 * without a look at every write (Intel SDM Vol. 3A §8.1.3 "Handling Self- and Cross-Modifying Code").
 *
 * Who decodes and who takes the log is here; who writes is the memory unit's (assembly/memory-unit/page-states.ts).
 */
import { DIRTY_PAGES, PAGE_STATES } from '../memory-map.ts';

/** The bits of a page's word. */
export const PAGE_STATE = {
  CODE: 1,
  /** Some vCPU's TLB may let it be written. */
  WRITABLE: 2,
  VERSION_SHIFT: 3,
} as const;
const { CODE, WRITABLE, VERSION_SHIFT } = PAGE_STATE;
/** It is code since a moment ago, and some vCPU's TLB may still let it be written. */
const SETTLING = 4;

const PAGE_BITS = 12;
const PAGES = 2 ** 20;

export class PageStates {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #dirty: Uint8Array<SharedArrayBuffer>;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer, PAGE_STATES, PAGES);
    this.#dirty = new Uint8Array(buffer, DIRTY_PAGES, PAGES);
  }

  version(address: number): number {
    return Atomics.load(this.#words, address >>> PAGE_BITS) >>> VERSION_SHIFT;
  }

  /**
   * To be called before a page is decoded. @returns whether TLBs may still let it be written, and must be emptied before
   * it is read; then it is to be `settled`
   */
  markCode(address: number): boolean {
    const page = address >>> PAGE_BITS;
    for (;;) {
      const word = Atomics.load(this.#words, page);
      if ((word & CODE) !== 0) return (word & SETTLING) !== 0;
      const isWritable = (word & WRITABLE) !== 0;
      const next = (word & ~WRITABLE) | CODE | (isWritable ? SETTLING : 0);
      if (Atomics.compareExchange(this.#words, page, word, next) === word) return isWritable;
    }
  }

  /** No TLB lets this version of a page be written, that is code: all have been emptied since `markCode`. */
  settled(address: number, version: number): void {
    const page = address >>> PAGE_BITS;
    const word = Atomics.load(this.#words, page);
    // Another version is another decoder's to settle.
    if ((word & CODE) !== 0 && word >>> VERSION_SHIFT === version)
      Atomics.compareExchange(this.#words, page, word, word & ~SETTLING);
  }

  /** One bit for each page of a range, which are then clean; `bitmap` has room for all. */
  takeDirty(address: number, lengthBytes: number, bitmap: Uint8Array): void {
    const first = address >>> PAGE_BITS;
    for (let page = 0; page < lengthBytes >>> PAGE_BITS; page++)
      if (Atomics.exchange(this.#dirty, first + page, 0) !== 0) bitmap[page >> 3]! |= 1 << (page & 7);
  }
}
