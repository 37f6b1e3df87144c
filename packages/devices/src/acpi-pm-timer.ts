/**
 * ACPI's power management timer: a free-running 32-bit counter at 3.579545 MHz (ACPI 6.5 §4.8.3.1 "Power Management
 * Timer"). It is a pure function of the clock it is given, so every thread may serve it from an object of its own,
 * and there is no state to save but the clock's.
 */
import { PM_TIMER_FREQUENCY_HZ } from '@vireo/spec/acpi';
import { allOnes, type IoDevice } from './io-device.ts';

const NANOSECONDS = 1_000_000_000n;
const FREQUENCY_HZ = BigInt(PM_TIMER_FREQUENCY_HZ);

export class AcpiPmTimer implements IoDevice {
  readonly name = 'ACPI PM timer';
  readonly #nowNs: () => bigint;

  /** `nowNs` never goes back; the guest may be stopped meanwhile or not. */
  constructor(nowNs: () => bigint) {
    this.#nowNs = nowNs;
  }

  read(offset: number, sizeBytes: number): number {
    const ticks = BigInt.asUintN(32, (this.#nowNs() * FREQUENCY_HZ) / NANOSECONDS);
    return ((Number(ticks) >>> (8 * (offset & 3))) & allOnes(sizeBytes)) >>> 0;
  }

  write(): void {} // read-only
}
