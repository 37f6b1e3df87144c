/** Guest RAM: a memory file, mapped shared, behind one or two ranges of guest physical memory. */
import { closeSync } from 'node:fs';
import { GuestMemory, type MemoryBacking } from '@vireo/guest-memory';
import type { Vm } from '@vireo/hypervisor';
import { ftruncate, Mapping, madvise, memfdCreate } from '@vireo/linux';
import { ramRanges } from './layout.ts';

export class GuestRam {
  readonly memory: GuestMemory;
  readonly #backing: MemoryBacking;
  readonly #mapping: Mapping;
  readonly #fd: number;
  readonly #memoryBytes: number;

  constructor(memoryBytes: number) {
    this.#memoryBytes = memoryBytes;
    this.#fd = memfdCreate('vireo-guest-ram');
    ftruncate(this.#fd, memoryBytes);
    this.#mapping = Mapping.map({ fd: this.#fd, lengthBytes: memoryBytes, noReserve: true });
    const { hva, buffer } = this.#mapping;
    madvise(hva, memoryBytes, 'huge-page');
    madvise(hva, memoryBytes, 'dont-dump');
    this.#backing = { fd: this.#fd, fdOffset: 0, hva, sizeBytes: memoryBytes, buffer };
    this.memory = new GuestMemory(
      ramRanges(memoryBytes).map(({ gpa, sizeBytes, offsetBytes }) => ({
        gpa,
        sizeBytes,
        backing: this.#backing,
        backingOffset: offsetBytes,
        readonly: false,
      })),
    );
  }

  /** Makes the memory slots, numbered from 0. */
  mapInto(vm: Vm): void {
    for (const [id, { gpa, sizeBytes, offsetBytes }] of ramRanges(this.#memoryBytes).entries()) {
      vm.setMemorySlot({ id, gpa, sizeBytes, backing: this.#backing, backingOffset: offsetBytes });
    }
  }

  /** Gives the memory back to the host; nothing may use it any more. */
  close(): void {
    this.#mapping.unmap();
    closeSync(this.#fd);
  }
}
