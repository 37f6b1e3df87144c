/**
 * Which pages of guest memory were written since the log was last taken.
 *
 * Two writers fill it: devices, through `GuestMemory`, and the accelerator, whose own log (`Vm.takeDirtyLog`) is
 * merged in. One bit a page, as KVM's log has it (Linux KVM API §4.8 "KVM_GET_DIRTY_LOG").
 */
export const PAGE_SIZE_BYTES = 4096;

export class DirtyLog {
  readonly gpa: number;
  readonly sizeBytes: number;
  readonly #bits: Uint8Array;

  /** Logs pages of `[gpa, gpa + sizeBytes)`; both page-aligned. */
  constructor(gpa: number, sizeBytes: number) {
    if (gpa % PAGE_SIZE_BYTES !== 0 || sizeBytes % PAGE_SIZE_BYTES !== 0) {
      throw new RangeError('a dirty log covers whole pages');
    }
    this.gpa = gpa;
    this.sizeBytes = sizeBytes;
    this.#bits = new Uint8Array(bitmapSizeBytes(sizeBytes));
  }

  /** Marks every page that the range touches; what lies outside the log is ignored. */
  mark(gpa: number, lengthBytes: number): void {
    const start = Math.max(gpa, this.gpa);
    const end = Math.min(gpa + lengthBytes, this.gpa + this.sizeBytes);
    if (start >= end) return;
    const first = Math.floor((start - this.gpa) / PAGE_SIZE_BYTES);
    const last = Math.floor((end - 1 - this.gpa) / PAGE_SIZE_BYTES);
    for (let page = first; page <= last; page++) this.#bits[page >> 3]! |= 1 << (page & 7);
  }

  /**
   * Adds an accelerator's log of `[gpa, …)`, whose start must be eight pages aligned to this log's; what lies behind
   * this log's end is ignored.
   */
  merge(gpa: number, bitmap: Uint8Array): void {
    const page = (gpa - this.gpa) / PAGE_SIZE_BYTES;
    if (page < 0 || page % 8 !== 0) throw new RangeError('merged dirty logs must be aligned to eight pages');
    const base = page / 8;
    const length = Math.min(bitmap.length, this.#bits.length - base);
    for (let i = 0; i < length; i++) this.#bits[base + i]! |= bitmap[i]!;
    this.#clearBehindEnd();
  }

  /** Guest physical addresses of the pages marked since the last call, in order; clears the log. */
  take(): number[] {
    const pages = dirtyPages(this.#bits).map((page) => this.gpa + page * PAGE_SIZE_BYTES);
    this.#bits.fill(0);
    return pages;
  }

  /** The bitmap is rounded up to 64 pages, and so is an accelerator's. */
  #clearBehindEnd(): void {
    const pages = this.sizeBytes / PAGE_SIZE_BYTES;
    if (pages % 8 !== 0) this.#bits[pages >> 3]! &= (1 << (pages & 7)) - 1;
    this.#bits.fill(0, Math.ceil(pages / 8));
  }
}

/** Size of the bitmap of a slot in bytes: one bit a page, rounded up to 64 bits. */
export function bitmapSizeBytes(sizeBytes: number): number {
  return Math.ceil(sizeBytes / PAGE_SIZE_BYTES / 64) * 8;
}

/** Indices of the set bits. */
export function dirtyPages(bitmap: Uint8Array): number[] {
  const pages: number[] = [];
  for (const [index, byte] of bitmap.entries()) {
    if (byte === 0) continue;
    for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) pages.push(index * 8 + bit);
  }
  return pages;
}
