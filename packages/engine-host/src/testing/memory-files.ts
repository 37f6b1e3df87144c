/** Memory for the engine's tests: files, as guest memory is. */
import { closeSync } from 'node:fs';
import type { MemoryBacking } from '@vireo/guest-memory';
import { Mapping, memoryFile } from '@vireo/linux';

export class MemoryFiles {
  readonly #mappings = new Map<MemoryBacking, Mapping>();

  /** Zeroed memory, whole pages. */
  allocate(sizeBytes: number): MemoryBacking {
    const fd = memoryFile('vireo-test', sizeBytes);
    const mapping = Mapping.map({ fd, lengthBytes: sizeBytes });
    const backing = { fd, fdOffset: 0, hva: mapping.hva, sizeBytes, buffer: mapping.buffer };
    this.#mappings.set(backing, mapping);
    return backing;
  }

  free(backing: MemoryBacking): void {
    this.#mappings.get(backing)?.unmap();
    if (this.#mappings.delete(backing)) closeSync(backing.fd);
  }
}
