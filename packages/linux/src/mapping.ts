/** One mapping that this process made, and the ArrayBuffer over it. */
import { viewMemory } from './libc.ts';
import { type MmapOptions, mmap, munmap } from './memory.ts';

/** Owns a range of addresses from `map` to `unmap`. A process that ends need not unmap anything. */
export class Mapping implements Disposable {
  readonly hva: number;
  readonly lengthBytes: number;
  #buffer: ArrayBuffer | undefined;
  #mapped = true;

  private constructor(hva: number, lengthBytes: number) {
    this.hva = hva;
    this.lengthBytes = lengthBytes;
  }

  static map(options: MmapOptions): Mapping {
    return new Mapping(mmap(options), options.lengthBytes);
  }

  /**
   * The memory, for this thread; made when first asked for (see `viewMemory` for what large ones cost). It is not a
   * SharedArrayBuffer: other threads make their own with `viewMemory(hva, lengthBytes)`, and Atomics work on it
   * except for wait and notify (see futex.ts).
   */
  get buffer(): ArrayBuffer {
    if (!this.#mapped) throw new Error('this mapping was unmapped');
    this.#buffer ??= viewMemory(this.hva, this.lengthBytes);
    return this.#buffer;
  }

  /**
   * Unmaps the range. Views of `buffer` in this thread end up with length 0; those of other threads must be gone.
   * Doing it twice does nothing.
   */
  unmap(): void {
    if (!this.#mapped) return;
    this.#mapped = false;
    // Moving the memory to a buffer of no length detaches every view, so a late access is not a crash. Nothing is
    // freed by it: the buffer does not own what it points to.
    this.#buffer?.transfer(0);
    this.#buffer = undefined;
    munmap(this.hva, this.lengthBytes);
  }

  [Symbol.dispose](): void {
    this.unmap();
  }
}
