/** Reads a source forward in small steps through one window, skipping what nobody asks for. */
import type { ByteSource } from './byte-source.ts';

const WINDOW_BYTES = 64 << 10;

export class WindowedReader {
  readonly sizeBytes: number;
  readonly #source: ByteSource;
  readonly #window = new Uint8Array(WINDOW_BYTES);
  #windowStart = 0;
  #windowBytes = 0;

  constructor(source: ByteSource) {
    this.#source = source;
    this.sizeBytes = source.sizeBytes;
  }

  /** A view of at most 64 KiB, valid until the next call; undefined when the source ends before it does. */
  at(offset: number, lengthBytes: number): Uint8Array | undefined {
    if (offset + lengthBytes > this.sizeBytes) return undefined;
    const isInside =
      offset >= this.#windowStart && offset + lengthBytes <= this.#windowStart + this.#windowBytes;
    if (!isInside) this.#fill(offset);
    const start = offset - this.#windowStart;
    return this.#window.subarray(start, start + lengthBytes);
  }

  #fill(offset: number): void {
    this.#windowStart = offset;
    this.#windowBytes = Math.min(WINDOW_BYTES, this.sizeBytes - offset);
    this.#source.read(this.#window.subarray(0, this.#windowBytes), offset);
  }
}
