/**
 * The memory slots, in memory that all threads share: which guest physical addresses are where in the engine's memory.
 * The VM's thread writes it, and has all vCPUs forget their translations afterwards, when each reads it anew.
 */
import { SLOT_TABLE } from '../memory-map.ts';

/** A slot as the vCPUs need it. Addresses and sizes are whole pages. */
export interface MappedSlot {
  readonly gpa: number;
  readonly sizeBytes: number;
  /** In the engine's memory. */
  readonly address: number;
  readonly readonly: boolean;
  readonly logsDirtyPages: boolean;
}

export const MAX_SLOTS = 64;

/** Words: a version, odd while the table is being written, a count, then the slots; and the flags in a slot's last word. */
export const SLOT_TABLE_WORDS = { VERSION: 0, COUNT: 1, SLOTS: 2, SLOT_WORDS: 4 } as const;
export const SLOT_FLAGS = { READONLY: 1, LOGS: 2 } as const;
const { VERSION, COUNT, SLOTS, SLOT_WORDS } = SLOT_TABLE_WORDS;
const { READONLY, LOGS } = SLOT_FLAGS;

const PAGE_BYTES = 4096;

export class SlotTable {
  readonly #words: Int32Array<SharedArrayBuffer>;
  #slots: readonly MappedSlot[] = [];
  #last: MappedSlot | undefined;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer, SLOT_TABLE, SLOTS + MAX_SLOTS * SLOT_WORDS);
  }

  /** Of the VM's thread. */
  write(slots: readonly MappedSlot[]): void {
    const words = this.#words;
    Atomics.add(words, VERSION, 1);
    words[COUNT] = slots.length;
    for (const [place, slot] of slots.entries()) {
      const at = SLOTS + place * SLOT_WORDS;
      words[at] = slot.gpa / PAGE_BYTES;
      words[at + 1] = slot.sizeBytes / PAGE_BYTES;
      words[at + 2] = slot.address / PAGE_BYTES;
      words[at + 3] = (slot.readonly ? READONLY : 0) | (slot.logsDirtyPages ? LOGS : 0);
    }
    Atomics.add(words, VERSION, 1);
  }

  /** Reads the table anew. */
  refresh(): void {
    this.#last = undefined;
    for (;;) {
      const version = Atomics.load(this.#words, VERSION);
      this.#slots = Array.from({ length: this.#words[COUNT]! }, (_, place) => this.#read(place));
      if (version % 2 === 0 && Atomics.load(this.#words, VERSION) === version) return;
    }
  }

  /** The slot that has an address, if any. */
  find(gpa: number): MappedSlot | undefined {
    const last = this.#last;
    if (last !== undefined && gpa >= last.gpa && gpa < last.gpa + last.sizeBytes) return last;
    const found = this.#slots.find((slot) => gpa >= slot.gpa && gpa < slot.gpa + slot.sizeBytes);
    if (found !== undefined) this.#last = found;
    return found;
  }

  #read(place: number): MappedSlot {
    const at = SLOTS + place * SLOT_WORDS;
    const [gpa, size, address, flags] = this.#words.subarray(at, at + SLOT_WORDS);
    return {
      gpa: (gpa! >>> 0) * PAGE_BYTES,
      sizeBytes: (size! >>> 0) * PAGE_BYTES,
      address: (address! >>> 0) * PAGE_BYTES,
      readonly: (flags! & READONLY) !== 0,
      logsDirtyPages: (flags! & LOGS) !== 0,
    };
  }
}
