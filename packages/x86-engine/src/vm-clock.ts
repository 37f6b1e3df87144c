/** The VM's clock, in memory that all threads share: host time and how far the guest's is from it. */
import { VM_CLOCK } from './memory-map.ts';

const OFFSET = 0;
const REFERENCE = 1;
const VERSION = 2;
const WORDS = 3;

export class VmClock {
  readonly #words: BigInt64Array<SharedArrayBuffer>;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new BigInt64Array(buffer, VM_CLOCK, WORDS);
  }

  /** Nanoseconds since the VM was made, at a host time. */
  at(hostNs: bigint): bigint {
    return BigInt.asUintN(64, hostNs + Atomics.load(this.#words, OFFSET));
  }

  /** The clock is `nanoseconds` at a host time. */
  set(nanoseconds: bigint, hostNs: bigint): void {
    Atomics.store(this.#words, OFFSET, BigInt.asIntN(64, nanoseconds - hostNs));
    Atomics.store(this.#words, REFERENCE, hostNs);
    Atomics.add(this.#words, VERSION, 1n);
  }

  /** The host time at which it was set. */
  get referenceNs(): bigint {
    return Atomics.load(this.#words, REFERENCE);
  }

  /** Another whenever it was set. */
  get version(): number {
    return Number(Atomics.load(this.#words, VERSION));
  }
}
