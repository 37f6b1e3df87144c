/**
 * A lock in shared memory, for state that several threads touch for nanoseconds.
 *
 * Free, held, or held with sleepers: the three-state futex mutex (Drepper, "Futexes Are Tricky" §5 "Mutex, Take 2").
 * It spins first, since what it guards is short; it sleeps in the end, since the holder may have lost its processor.
 * Plain accesses to what the lock guards are ordered by it: both ends are sequentially consistent Atomics.
 */
const FREE = 0;
const HELD = 1;
const HELD_WITH_SLEEPERS = 2;
const SPINS = 200;

export class SharedLock {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #index: number;

  constructor(words: Int32Array<SharedArrayBuffer>, index: number) {
    this.#words = words;
    this.#index = index;
  }

  acquire(): void {
    if (Atomics.compareExchange(this.#words, this.#index, FREE, HELD) !== FREE) this.#acquireContended();
  }

  release(): void {
    if (Atomics.exchange(this.#words, this.#index, FREE) === HELD_WITH_SLEEPERS) {
      Atomics.notify(this.#words, this.#index, 1);
    }
  }

  #acquireContended(): void {
    for (let spin = 0; spin < SPINS; spin++) {
      Atomics.pause();
      if (Atomics.load(this.#words, this.#index) !== FREE) continue;
      if (Atomics.compareExchange(this.#words, this.#index, FREE, HELD) === FREE) return;
    }
    while (Atomics.exchange(this.#words, this.#index, HELD_WITH_SLEEPERS) !== FREE) {
      Atomics.wait(this.#words, this.#index, HELD_WITH_SLEEPERS);
    }
  }
}
