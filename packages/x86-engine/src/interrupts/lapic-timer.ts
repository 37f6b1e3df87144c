/**
 * The local APIC's timer: one-shot, periodic, TSC deadline (Intel SDM Vol. 3A §10.5.4 "APIC Timer"). Its input clock is
 * 1 GHz, as KVM's is, so that a count that one accelerator saved runs on at the same pace under the other.
 *
 * It keeps the host time at which it fires and nothing that counts. A period that nobody served is not made up for.
 */
import type { InterruptClock } from './clock.ts';
import { NEVER } from './controller-memory.ts';
import type { LocalApic } from './lapic.ts';
import * as apic from './lapic-registers.ts';

const NANOSECONDS_PER_CYCLE = 1n;
const NANOSECONDS_TIMES_KHZ = 1_000_000n;

export class LapicTimer {
  readonly #lapic: LocalApic;
  readonly #clock: InterruptClock;

  constructor(lapic: LocalApic, clock: InterruptClock) {
    this.#lapic = lapic;
    this.#clock = clock;
  }

  /** When `expire` has something to deliver; NEVER if nothing is to come. Needs no lock in the vCPU's thread. */
  get deadlineNs(): bigint {
    return this.#masked ? NEVER : this.#lapic.timerDeadline;
  }

  /** Fires what is due. */
  expire(nowNs: bigint): void {
    const lapic = this.#lapic;
    const deadline = lapic.timerDeadline;
    if (deadline > nowNs) return;
    lapic.tscDeadline = 0n;
    const period = this.#mode === apic.TIMER_PERIODIC ? this.#nanoseconds(this.#initialCount) : 0n;
    lapic.timerDeadline = period === 0n ? NEVER : deadline + ((nowNs - deadline) / period + 1n) * period;
    if (!this.#masked) lapic.accept(lapic.register(apic.APIC_LVT_TIMER) & 0xff, false);
  }

  /** §10.5.4: the current-count register. */
  readCount(): number {
    const now = this.#clock.now();
    this.expire(now);
    return this.#countAt(now);
  }

  /** Starts the count; 0 stops the timer. Ignored in TSC-deadline mode. */
  writeInitialCount(count: number): void {
    if (!this.#counts) return;
    this.#lapic.setRegister(apic.APIC_INITIAL_COUNT, count);
    this.resume(count);
  }

  /** Lets the timer fire when a count that is left has gone down to 0. */
  resume(count: number): void {
    this.#lapic.timerDeadline = NEVER;
    if (!this.#counts || this.#initialCount === 0) return;
    // A one-shot that has reached 0 is over; a periodic count at 0 is about to begin anew.
    if (count === 0 && this.#mode === apic.TIMER_ONE_SHOT) return;
    this.#lapic.timerDeadline = this.#clock.now() + this.#nanoseconds(count);
  }

  /** What is left of the count goes down at the new pace. */
  writeDivide(value: number): void {
    const left = this.readCount();
    const runs = this.#lapic.timerDeadline !== NEVER;
    this.#lapic.setRegister(apic.APIC_DIVIDE, value);
    if (runs && this.#counts) this.resume(left);
  }

  /** A change from or to TSC-deadline mode disarms the timer (§10.5.4.1 "TSC-Deadline Mode"). */
  writeLvt(value: number): void {
    this.expire(this.#clock.now());
    const counted = this.#counts;
    this.#lapic.setRegister(apic.APIC_LVT_TIMER, value);
    if (counted === this.#counts) return;
    this.#lapic.setRegister(apic.APIC_INITIAL_COUNT, 0);
    this.#lapic.tscDeadline = 0n;
    this.#lapic.timerDeadline = NEVER;
  }

  /** IA32_TSC_DEADLINE: zero unless armed. */
  get tscDeadline(): bigint {
    this.expire(this.#clock.now());
    return this.#lapic.tscDeadline;
  }

  /** Ignored outside TSC-deadline mode. A deadline in the past fires at once. */
  set tscDeadline(value: bigint) {
    if (this.#mode !== apic.TIMER_TSC_DEADLINE) return;
    this.#lapic.tscDeadline = value;
    this.tscMoved();
    this.expire(this.#clock.now());
  }

  /** The vCPU's TSC was set, so that the deadline is at another time. */
  tscMoved(): void {
    const lapic = this.#lapic;
    if (this.#mode !== apic.TIMER_TSC_DEADLINE) return;
    lapic.timerDeadline = lapic.tscDeadline === 0n ? NEVER : this.#hostTimeOf(lapic.tscDeadline);
  }

  get #mode(): number {
    return (this.#lapic.register(apic.APIC_LVT_TIMER) >> apic.LVT_TIMER_MODE_SHIFT) & 3;
  }

  get #counts(): boolean {
    return this.#mode === apic.TIMER_ONE_SHOT || this.#mode === apic.TIMER_PERIODIC;
  }

  get #masked(): boolean {
    return (this.#lapic.register(apic.APIC_LVT_TIMER) & apic.LVT_MASKED) !== 0;
  }

  get #initialCount(): number {
    return this.#lapic.register(apic.APIC_INITIAL_COUNT);
  }

  #nanoseconds(count: number): bigint {
    return (BigInt(count) << BigInt(this.#divideShift)) * NANOSECONDS_PER_CYCLE;
  }

  /** Figure 10-10 "Divide Configuration Register": bits 3, 1 and 0; 111 is division by 1. */
  get #divideShift(): number {
    const divide = this.#lapic.register(apic.APIC_DIVIDE);
    return (((divide & 3) | ((divide & 8) >> 1)) + 1) & 7;
  }

  /** Rounded up: 0 only where the timer has fired. */
  #countAt(now: bigint): number {
    const deadline = this.#lapic.timerDeadline;
    if (!this.#counts || deadline === NEVER) return 0;
    const cycle = this.#nanoseconds(1);
    return Number((deadline - now + cycle - 1n) / cycle);
  }

  /** Rounded up, so that the TSC has reached the deadline by then. */
  #hostTimeOf(tscDeadline: bigint): bigint {
    // The TSC is read first: what passes between the readings makes the result late, never early.
    const left = tscDeadline - this.#clock.readTsc(this.#lapic.id);
    const now = this.#clock.now();
    if (left <= 0n) return now;
    const khz = BigInt(this.#clock.tscKhz);
    const at = now + (left * NANOSECONDS_TIMES_KHZ + khz - 1n) / khz;
    return at < NEVER ? at : NEVER - 1n;
  }
}
