/**
 * The memory slots, in memory that all threads share: which guest physical addresses are where in the engine's memory.
 * The VM's thread writes it, and has all vCPUs forget their translations afterwards, when the memory unit of each reads it
 * anew (assembly/memory-unit/memory-slots.ts).
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

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer, SLOT_TABLE, SLOTS + MAX_SLOTS * SLOT_WORDS);
  }

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
}
