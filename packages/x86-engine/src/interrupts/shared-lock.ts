/**
 * The lock that guards the interrupt controllers' words. Every thread takes it for a fraction of a microsecond.
 *
 * A futex mutex of three states (Drepper, "Futexes Are Tricky" §5 "Mutex, Take 2"): it spins, since the holder is
 * about to let go, then sleeps, since the holder may have lost its processor. Plain accesses between `acquire` and
 * `release` are ordered by the sequentially consistent accesses at both ends.
 */
const UNLOCKED = 0;
const LOCKED = 1;
const LOCKED_AND_AWAITED = 2;

const SPIN_ROUNDS = 200;

export class InterruptLock {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #at: number;

  constructor(words: Int32Array<SharedArrayBuffer>, at: number) {
    this.#words = words;
    this.#at = at;
  }

  /** Not reentrant. */
  acquire(): void {
    if (Atomics.compareExchange(this.#words, this.#at, UNLOCKED, LOCKED) !== UNLOCKED) this.#await();
  }

  release(): void {
    if (Atomics.exchange(this.#words, this.#at, UNLOCKED) === LOCKED_AND_AWAITED)
      Atomics.notify(this.#words, this.#at, 1);
  }

  #await(): void {
    for (let round = 0; round < SPIN_ROUNDS; round++) {
      Atomics.pause();
      const seen = Atomics.load(this.#words, this.#at);
      if (seen === UNLOCKED && Atomics.compareExchange(this.#words, this.#at, UNLOCKED, LOCKED) === UNLOCKED)
        return;
    }
    // Who slept once holds the lock as awaited: others may sleep too.
    while (Atomics.exchange(this.#words, this.#at, LOCKED_AND_AWAITED) !== UNLOCKED)
      Atomics.wait(this.#words, this.#at, LOCKED_AND_AWAITED);
  }
}
