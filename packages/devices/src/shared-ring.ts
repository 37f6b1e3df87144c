/**
 * A ring of bytes in shared memory: one thread of the host at one end, the device's register accesses at the other.
 *
 * `head` and `tail` count bytes modulo 2^32 and are read and written under the owner's lock. The bytes between them
 * belong to the consumer and the rest to the producer, so the host copies its end without holding the lock.
 */
export class SharedRing {
  readonly capacityBytes: number;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #head: number;
  readonly #tail: number;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;

  /** `headIndex` is the index in `words` of the head; the tail follows. The length of `bytes` is a power of two. */
  constructor(words: Int32Array<SharedArrayBuffer>, headIndex: number, bytes: Uint8Array<SharedArrayBuffer>) {
    this.#words = words;
    this.#head = headIndex;
    this.#tail = headIndex + 1;
    this.#bytes = bytes;
    this.capacityBytes = bytes.length;
  }

  /** Under the lock. */
  get usedBytes(): number {
    return (this.#words[this.#tail]! - this.#words[this.#head]!) | 0;
  }

  /** Under the lock. */
  get freeBytes(): number {
    return this.capacityBytes - this.usedBytes;
  }

  /** Under the lock; there must be room. */
  push(byte: number): void {
    const tail = this.#words[this.#tail]!;
    this.#bytes[tail & (this.capacityBytes - 1)] = byte;
    this.#words[this.#tail] = tail + 1;
  }

  /** Under the lock; there must be a byte. */
  shift(): number {
    const head = this.#words[this.#head]!;
    this.#words[this.#head] = head + 1;
    return this.#bytes[head & (this.capacityBytes - 1)]!;
  }

  /** The producer's copy, without the lock: `source` must fit. `produce` makes it seen. */
  copyIn(source: Uint8Array): void {
    const start = this.#words[this.#tail]! & (this.capacityBytes - 1);
    const first = Math.min(source.length, this.capacityBytes - start);
    this.#bytes.set(source.subarray(0, first), start);
    this.#bytes.set(source.subarray(first), 0);
  }

  /** Under the lock. */
  produce(lengthBytes: number): void {
    this.#words[this.#tail]! += lengthBytes;
  }

  /** The consumer's copy of the oldest bytes, without the lock: the ring must hold that many. `consume` frees them. */
  copyOut(target: Uint8Array): void {
    const start = this.#words[this.#head]! & (this.capacityBytes - 1);
    const first = Math.min(target.length, this.capacityBytes - start);
    target.set(this.#bytes.subarray(start, start + first));
    target.set(this.#bytes.subarray(0, target.length - first), first);
  }

  /** Under the lock. */
  consume(lengthBytes: number): void {
    this.#words[this.#head]! += lengthBytes;
  }

  /** Under the lock. */
  clear(): void {
    this.#words[this.#head] = this.#words[this.#tail]!;
  }
}
