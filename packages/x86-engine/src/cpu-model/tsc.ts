/**
 * A vCPU's time-stamp counter (Intel SDM Vol. 3B §17.17 "Time-Stamp Counter"). It is host time times a frequency, plus an
 * offset: it runs while nobody looks, and writing it is changing the offset.
 *
 * Its own frequency is 1 GHz, so that a tick is a nanosecond. A state that comes from a processor with another frequency
 * goes on at that one.
 */

export const NATIVE_TSC_KHZ = 1_000_000;

/** The highest that a vCPU's saved state can have: KVM's is a 32-bit number (Linux KVM API §4.55 "KVM_SET_TSC_KHZ"). */
const MAX_TSC_KHZ = 2 ** 32 - 1;

/** Nanoseconds times kHz, for one tick. */
const NANOSECONDS_TIMES_KHZ = 1_000_000n;

/** What is kept of one counter, in 64-bit words, which other threads may read: a timer looks at the counter too. */
export const TSC_LAYOUT = {
  /** Modulo 2^64. */
  offset: 0,
  /** IA32_TSC_ADJUST. */
  adjust: 1,
  khz: 2,
  words: 3,
} as const;

export interface HostClock {
  /** Monotonic host time in nanoseconds, the same in all threads. */
  now(): bigint;
}

/** A view of one counter. Only its vCPU's thread writes it, or another while the vCPU does not run. */
export class Tsc {
  readonly #clock: HostClock;
  readonly #words: BigInt64Array;
  readonly #at: number;

  /** `at` is the index of the first of `TSC_LAYOUT.words` words. */
  constructor(clock: HostClock, words: BigInt64Array = new BigInt64Array(TSC_LAYOUT.words), at = 0) {
    this.#clock = clock;
    this.#words = words;
    this.#at = at;
  }

  /** The counter is 0 now, as after a reset (§17.17). */
  initialise(khz = NATIVE_TSC_KHZ): void {
    this.#store(TSC_LAYOUT.khz, BigInt(checked(khz)));
    this.#store(TSC_LAYOUT.adjust, 0n);
    this.value = 0n;
  }

  get khz(): number {
    return Number(this.#load(TSC_LAYOUT.khz));
  }

  /** The counter goes on from where it is. @throws RangeError when there is no such frequency */
  set khz(khz: number) {
    const now = this.#clock.now();
    const value = this.at(now);
    this.#store(TSC_LAYOUT.khz, BigInt(checked(khz)));
    this.#setAt(now, value);
  }

  /** The counter at a host time. */
  at(hostNs: bigint): bigint {
    return BigInt.asUintN(64, this.#ticks(hostNs) + this.#load(TSC_LAYOUT.offset));
  }

  /** RDTSC. */
  get value(): bigint {
    return this.at(this.#clock.now());
  }

  /** Restores the counter; IA32_TSC_ADJUST is restored apart from it. */
  set value(value: bigint) {
    this.#setAt(this.#clock.now(), value);
  }

  get adjust(): bigint {
    return BigInt.asUintN(64, this.#load(TSC_LAYOUT.adjust));
  }

  /** Restores IA32_TSC_ADJUST; the counter stays. */
  set adjust(value: bigint) {
    this.#store(TSC_LAYOUT.adjust, value);
  }

  /** WRMSR of IA32_TIME_STAMP_COUNTER moves IA32_TSC_ADJUST by as much (§17.17.3 "Time-Stamp Counter Adjustment"). */
  write(value: bigint): void {
    const now = this.#clock.now();
    const moved = value - this.at(now);
    this.#setAt(now, value);
    this.adjust += moved;
  }

  /** WRMSR of IA32_TSC_ADJUST moves the counter by as much. */
  writeAdjust(value: bigint): void {
    const moved = value - this.adjust;
    this.adjust = value;
    this.#store(TSC_LAYOUT.offset, this.#load(TSC_LAYOUT.offset) + moved);
  }

  #setAt(hostNs: bigint, value: bigint): void {
    this.#store(TSC_LAYOUT.offset, value - this.#ticks(hostNs));
  }

  #ticks(hostNs: bigint): bigint {
    const khz = this.#load(TSC_LAYOUT.khz);
    return khz === NANOSECONDS_TIMES_KHZ ? hostNs : (hostNs * khz) / NANOSECONDS_TIMES_KHZ;
  }

  #load(word: number): bigint {
    return Atomics.load(this.#words, this.#at + word);
  }

  #store(word: number, value: bigint): void {
    Atomics.store(this.#words, this.#at + word, BigInt.asIntN(64, value));
  }
}

function checked(khz: number): number {
  if (!Number.isInteger(khz) || khz < 1 || khz > MAX_TSC_KHZ)
    throw new RangeError(`a time-stamp counter of ${khz} kHz; it has 1 to ${MAX_TSC_KHZ}`);
  return khz;
}
