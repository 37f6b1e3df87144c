/**
 * kvmclock: how a guest gets nanoseconds from its time-stamp counter without an exit (Linux, "KVM-specific MSRs",
 * MSR_KVM_WALL_CLOCK_NEW and MSR_KVM_SYSTEM_TIME_NEW). The guest gives the address of a structure, and reads it as
 *
 *     nanoseconds = system_time + (((tsc - tsc_timestamp) << tsc_shift) * tsc_to_system_mul >> 32)
 *
 * with `>>` for a negative shift. Its version is odd during an update, and the guest reads again when it was odd or has
 * changed. All stores are Atomics: these are never seen in another order, and other vCPUs read the structure at any time.
 */

/** struct pvclock_vcpu_time_info, in 32-bit words; what has two begins with the lower. */
const SYSTEM_TIME = {
  version: 0,
  tscTimestamp: 2,
  systemTime: 4,
  multiplier: 6,
  shiftAndFlags: 7,
  words: 8,
} as const;

/** struct pvclock_wall_clock, likewise. */
const WALL_CLOCK = { version: 0, seconds: 1, nanoseconds: 2, words: 3 } as const;

export const SYSTEM_TIME_BYTES = SYSTEM_TIME.words * 4;
export const WALL_CLOCK_BYTES = WALL_CLOCK.words * 4;

/** Flags: what all vCPUs read are points of one clock, without any going backwards. */
export const PVCLOCK_TSC_STABLE = 1;
/** The host had stopped the guest, whose watchdogs should not mind the time that is missing. The guest takes it back. */
export const PVCLOCK_GUEST_STOPPED = 2;

const FLAGS_SHIFT = 8;
const NANOSECONDS_PER_SECOND = 1_000_000_000n;

export interface TscScale {
  /** tsc_to_system_mul: a fraction of 2^32, at least a half. */
  readonly multiplier: number;
  /** tsc_shift. */
  readonly shift: number;
}

/**
 * From ticks to nanoseconds. The multiplier has all of its 32 bits in use and is the nearest, so that an error is at most
 * a 2^32th of the time, and none at 1 GHz. `tscKhz` is at least 1 and below 2^32.
 */
export function tscScale(tscKhz: number): TscScale {
  const khz = BigInt(tscKhz);
  // From the shift of 1 kHz on. The multiplier about doubles from one to the next, so that rounding never makes it 2^32.
  for (let shift = 20; ; shift--) {
    // Nanoseconds in a tick, as a fraction of 2^32 once `shift` is taken out of it.
    const numerator = (1_000_000n << 32n) << BigInt(Math.max(-shift, 0));
    const denominator = khz << BigInt(Math.max(shift, 0));
    const multiplier = (numerator + denominator / 2n) / denominator;
    if (multiplier >= 1n << 31n) return { multiplier: Number(multiplier), shift };
  }
}

/**
 * A moment by two clocks. All vCPUs of a VM whose counters have the same frequency are to be given the same moment, by
 * the counter of each: then their clocks agree to the nanosecond, which PVCLOCK_TSC_STABLE promises.
 */
export interface ClockMoment {
  /** kvmclock's value. */
  readonly nanoseconds: bigint;
  /** The vCPU's counter. */
  readonly tsc: bigint;
  readonly tscKhz: number;
}

/**
 * Writes a vCPU's structure. `view` is guest memory from the structure on, in a multiple of 4 bytes.
 * `stopped` sets PVCLOCK_GUEST_STOPPED; it stays set until the guest has seen it.
 */
export function writeSystemTime(view: DataView, moment: ClockMoment, stopped = false): void {
  const words = wordsOf(view, SYSTEM_TIME.words);
  const { multiplier, shift } = tscScale(moment.tscKhz);
  const unseen = (Atomics.load(words, SYSTEM_TIME.shiftAndFlags) >> FLAGS_SHIFT) & PVCLOCK_GUEST_STOPPED;
  const flags = PVCLOCK_TSC_STABLE | unseen | (stopped ? PVCLOCK_GUEST_STOPPED : 0);
  update(words, () => {
    storeWide(words, SYSTEM_TIME.tscTimestamp, moment.tsc);
    storeWide(words, SYSTEM_TIME.systemTime, moment.nanoseconds);
    Atomics.store(words, SYSTEM_TIME.multiplier, multiplier | 0);
    Atomics.store(words, SYSTEM_TIME.shiftAndFlags, (shift & 0xff) | (flags << FLAGS_SHIFT));
  });
}

/**
 * Writes the time of day at which kvmclock was 0: the guest adds kvmclock to it.
 * `unixNs` is the time of day in nanoseconds since 1970 when kvmclock is `nanoseconds`.
 */
export function writeWallClock(view: DataView, unixNs: bigint, nanoseconds: bigint): void {
  const words = wordsOf(view, WALL_CLOCK.words);
  // Where kvmclock was set to more than the time since 1970 there is no such time: then it is 1970.
  const atZero = unixNs > nanoseconds ? unixNs - nanoseconds : 0n;
  update(words, () => {
    Atomics.store(words, WALL_CLOCK.seconds, lowWord(atZero / NANOSECONDS_PER_SECOND));
    Atomics.store(words, WALL_CLOCK.nanoseconds, lowWord(atZero % NANOSECONDS_PER_SECOND));
  });
}

/** What was there as a version goes on, since the guest may compare with what it read before. */
function update(words: Int32Array, store: () => void): void {
  const version = (Atomics.load(words, 0) + 1) | 1;
  Atomics.store(words, 0, version);
  store();
  Atomics.store(words, 0, version + 1);
}

function wordsOf(view: DataView, count: number): Int32Array {
  if (view.byteLength < count * 4)
    throw new RangeError(`${view.byteLength} bytes for a clock of ${count * 4}`);
  return new Int32Array(view.buffer, view.byteOffset, count);
}

function storeWide(words: Int32Array, at: number, value: bigint): void {
  Atomics.store(words, at, lowWord(value));
  Atomics.store(words, at + 1, lowWord(value >> 32n));
}

function lowWord(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}
