/**
 * The PC's real-time clock and CMOS RAM at ports 0x70 and 0x71 (Motorola MC146818A data sheet).
 *
 * The time is the host's clock plus an offset that moves when the guest sets the clock. Flags are worked out when
 * somebody looks; a host timer runs only while an interrupt is enabled that has not happened yet. Periodic interrupts
 * come no faster than the host's timers do. Daylight saving and the square wave are not modelled: DSE and SQWE only
 * read back.
 */
import * as rtc from '@vireo/spec/rtc';
import { type CmosRtcState, readCmosRtcState } from './cmos-rtc-state.ts';
import { allOnes, type InterruptLine, type IoDevice } from './io-device.ts';
import { loadTime, nextAlarm, periodicHz, storeTime, TIME_REGISTERS } from './rtc-time.ts';
import type { Timers } from './timers.ts';

/** UIP rises this long before the time changes (data sheet, "Update Cycle"). */
const UPDATE_WARNING_MS = 0.244;
/** From the release of the divider to the first update (data sheet, "Divider Control"). */
const FIRST_UPDATE_MS = 500;
const ENABLE_BITS = rtc.REG_B_PIE | rtc.REG_B_AIE | rtc.REG_B_UIE;
/** The divider's bits that hold it in reset. */
const DIVIDER_RESET = 0x60;
const INDEX_OFFSET = 0;
const DATA_OFFSET = 1;

export interface CmosRtcOptions {
  /** The host's time: milliseconds since the epoch. */
  readonly clock: () => number;
  readonly timers: Timers;
  /** IRQ 8. */
  readonly line: InterruptLine;
}

export class CmosRtc implements IoDevice {
  static readonly lengthBytes = 2;
  readonly name = 'CMOS RTC';
  readonly #clock: () => number;
  readonly #timers: Timers;
  readonly #line: InterruptLine;
  readonly #registers = new Uint8Array(rtc.CMOS_LENGTH_BYTES);
  #index = 0;
  #offsetMs = 0;
  /** Register C without IRQF. */
  #flags = 0;
  /** Up to when `#flags` are worked out, in the guest's time. */
  #flagsAtMs: number;
  #timer: { readonly handle: unknown } | undefined;

  constructor(options: CmosRtcOptions) {
    this.#clock = options.clock;
    this.#timers = options.timers;
    this.#line = options.line;
    // As firmware leaves it: running, 1024 Hz chosen, BCD, 24 hours.
    this.#registers[rtc.RTC_REG_A] = rtc.REG_A_DIVIDER_32768_HZ | 6;
    this.#registers[rtc.RTC_REG_B] = rtc.REG_B_24H;
    this.#flagsAtMs = this.#nowMs();
  }

  /** The RESET pin: interrupts off; time, alarm and RAM stay (data sheet, "RESET"). */
  reset(): void {
    this.#registers[rtc.RTC_REG_B]! &= ~(ENABLE_BITS | rtc.REG_B_SQWE);
    this.#flags = 0;
    this.#index = 0;
    this.#update();
  }

  /** Stops the timer; the device is not used any more. */
  close(): void {
    if (this.#timer !== undefined) this.#timers.clear(this.#timer.handle);
    this.#timer = undefined;
  }

  read(offset: number, sizeBytes: number): number {
    let value = 0;
    for (let i = 0; i < sizeBytes; i++) value += this.#readByte(offset + i) * 2 ** (8 * i);
    return value;
  }

  write(offset: number, sizeBytes: number, value: number): void {
    for (let i = 0; i < sizeBytes; i++) this.#writeByte(offset + i, (value >>> (8 * i)) & 0xff);
  }

  save(): CmosRtcState {
    this.#workOutFlags();
    if (!this.#stopped()) storeTime(this.#registers, this.#nowMs());
    return {
      version: 1,
      index: this.#index,
      registers: [...this.#registers],
      offsetMs: Math.round(this.#offsetMs),
      flags: this.#flags,
    };
  }

  /** @throws SavedStateError */
  restore(state: CmosRtcState): void {
    const { index, registers, offsetMs, flags } = readCmosRtcState(state);
    this.#index = index;
    this.#registers.set(registers);
    this.#registers[rtc.RTC_REG_A]! &= ~rtc.REG_A_UIP;
    this.#offsetMs = offsetMs;
    this.#flags = flags;
    this.#flagsAtMs = this.#nowMs();
    this.#update();
  }

  #nowMs(): number {
    return this.#clock() + this.#offsetMs;
  }

  /** Whether the guest has stopped the clock, to set it. */
  #stopped(): boolean {
    const dividerReset = (this.#registers[rtc.RTC_REG_A]! & DIVIDER_RESET) === DIVIDER_RESET;
    return dividerReset || (this.#registers[rtc.RTC_REG_B]! & rtc.REG_B_SET) !== 0;
  }

  #readByte(offset: number): number {
    // The index register is write-only.
    return offset === DATA_OFFSET ? this.#readRegister(this.#index) : allOnes(1);
  }

  #writeByte(offset: number, byte: number): void {
    // Bit 7 masks the NMI, of which this machine has no sources.
    if (offset === INDEX_OFFSET) this.#index = byte & (rtc.CMOS_LENGTH_BYTES - 1);
    if (offset === DATA_OFFSET) this.#writeRegister(this.#index, byte);
  }

  #readRegister(index: number): number {
    switch (index) {
      case rtc.RTC_REG_A:
        return this.#registers[index]! | (this.#updateInProgress() ? rtc.REG_A_UIP : 0);
      case rtc.RTC_REG_C:
        return this.#takeFlags();
      case rtc.RTC_REG_D:
        return rtc.REG_D_VRT;
      default:
        if (TIME_REGISTERS.has(index) && !this.#stopped()) storeTime(this.#registers, this.#nowMs());
        return this.#registers[index]!;
    }
  }

  #writeRegister(index: number, value: number): void {
    if (index === rtc.RTC_REG_C || index === rtc.RTC_REG_D) return; // read-only
    this.#workOutFlags();
    const wasStopped = this.#stopped();
    const fractionMs = wasStopped ? 0 : this.#nowMs() % 1000;
    if (!wasStopped) storeTime(this.#registers, this.#nowMs());
    this.#registers[index] = index === rtc.RTC_REG_A ? value & ~rtc.REG_A_UIP : value;
    if (this.#registers[rtc.RTC_REG_B]! & rtc.REG_B_SET) this.#registers[rtc.RTC_REG_B]! &= ~rtc.REG_B_UIE;
    if (!this.#stopped()) {
      if (wasStopped) this.#setTime(index === rtc.RTC_REG_A ? 1000 - FIRST_UPDATE_MS : 0);
      else if (TIME_REGISTERS.has(index)) this.#setTime(fractionMs);
    }
    this.#update();
  }

  /** Goes on from the time in the registers, so far into that second. */
  #setTime(fractionMs: number): void {
    this.#offsetMs = loadTime(this.#registers) + fractionMs - this.#clock();
    this.#flagsAtMs = this.#nowMs();
  }

  #updateInProgress(): boolean {
    return !this.#stopped() && this.#nowMs() % 1000 >= 1000 - UPDATE_WARNING_MS;
  }

  #takeFlags(): number {
    this.#workOutFlags();
    const value = this.#flags | (this.#interrupts() ? rtc.REG_C_IRQF : 0);
    this.#flags = 0;
    this.#update();
    return value;
  }

  /** The flags in register C whose interrupt is enabled: the bits have the same places in both registers. */
  #interrupts(): number {
    return this.#flags & this.#registers[rtc.RTC_REG_B]! & ENABLE_BITS;
  }

  /** Sets the flags for all that happened since the last time. */
  #workOutFlags(): void {
    const before = this.#flagsAtMs;
    const now = this.#nowMs();
    this.#flagsAtMs = now; // also when the host's clock went back
    if (this.#stopped()) return;
    for (const flag of [rtc.REG_C_PF, rtc.REG_C_AF, rtc.REG_C_UF]) {
      const due = this.#nextEvent(flag, before);
      if (due !== undefined && due <= now) this.#flags |= flag;
    }
  }

  /** When the flag is set next, after `afterMs`. */
  #nextEvent(flag: number, afterMs: number): number | undefined {
    const second = Math.floor(afterMs / 1000) * 1000;
    switch (flag) {
      case rtc.REG_C_UF:
        return second + 1000;
      case rtc.REG_C_AF:
        return nextAlarm(this.#registers, afterMs);
      default: {
        const hz = periodicHz(this.#registers[rtc.RTC_REG_A]!);
        if (hz === 0) return undefined;
        return second + ((Math.floor(((afterMs - second) * hz) / 1000) + 1) * 1000) / hz;
      }
    }
  }

  /** Drives the interrupt line, or arranges for the next interrupt. */
  #update(): void {
    this.close();
    const pending = this.#interrupts() !== 0;
    this.#line.set(pending);
    if (pending || this.#stopped()) return; // the next comes after register C is read, or the clock runs
    const enabled = this.#registers[rtc.RTC_REG_B]! & ENABLE_BITS;
    let next = Number.POSITIVE_INFINITY;
    for (const flag of [rtc.REG_C_PF, rtc.REG_C_AF, rtc.REG_C_UF]) {
      if (enabled & flag) next = Math.min(next, this.#nextEvent(flag, this.#flagsAtMs) ?? next);
    }
    if (next === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.max(1, Math.ceil(next - this.#nowMs()));
    this.#timer = { handle: this.#timers.setTimeout(delayMs, () => this.#timerFired()) };
  }

  #timerFired(): void {
    this.#timer = undefined;
    this.#workOutFlags();
    this.#update();
  }
}
