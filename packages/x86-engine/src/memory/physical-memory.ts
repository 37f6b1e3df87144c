/** Guest physical memory as a vCPU's thread reaches it, through the memory slots. */
import { PageStates } from './page-states.ts';
import { type MappedSlot, SlotTable } from './slot-table.ts';

/** No address of ours: what is there is no memory. */
export const NO_MEMORY = 0;

export class PhysicalMemory {
  readonly slots: SlotTable;
  readonly states: PageStates;
  readonly view: DataView<SharedArrayBuffer>;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** What to do when a page is written that decoded code follows from. */
  onCodeWritten: (address: number) => void = () => {};

  constructor(buffer: SharedArrayBuffer) {
    this.slots = new SlotTable(buffer);
    this.states = new PageStates(buffer);
    this.view = new DataView(buffer);
    this.bytes = new Uint8Array(buffer);
  }

  /** Where memory is in ours, or NO_MEMORY. */
  addressOf(gpa: number): number {
    const slot = this.slots.find(gpa);
    return slot === undefined ? NO_MEMORY : slot.address + (gpa - slot.gpa);
  }

  /** The same for a write, of which the log and decoded code must know. Read-only memory is not written. */
  writableAddressOf(gpa: number): number {
    const slot = this.slots.find(gpa);
    if (slot === undefined || slot.readonly) return NO_MEMORY;
    const address = slot.address + (gpa - slot.gpa);
    this.prepareWrite(slot, address);
    return address;
  }

  /** To be called before memory of a slot is written, or made writable. */
  prepareWrite(slot: MappedSlot, address: number): void {
    if (slot.logsDirtyPages) this.states.markDirty(address);
    if (this.states.markWritable(address)) this.onCodeWritten(address);
  }
}
