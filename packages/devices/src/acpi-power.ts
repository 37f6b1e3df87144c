/**
 * ACPI's fixed power hardware: the PM1a event and control blocks side by side, with the fixed power button (ACPI 6.5
 * §4.8.4.1 "PM1 Event Grouping", §4.8.4.2 "PM1 Control Grouping"). The machine is always in ACPI mode: SCI_EN is
 * hard-wired and there is no SMI command port. There is no sleep button, and the real-time clock wakes nothing: the
 * FADT says so.
 *
 * TMR_STS never sets: the timer has 32 bits, and operating systems read it often enough to see it wrap.
 */
import * as acpi from '@vireo/spec/acpi';
import { allOnes, type InterruptLine, type IoDevice } from './io-device.ts';
import { SavedStateReader } from './saved-state.ts';

const STATUS_BITS = acpi.BM_STS | acpi.GBL_STS | acpi.PWRBTN_STS | acpi.WAK_STS;
const EVENT_ENABLE_BITS = acpi.TMR_EN | acpi.GBL_EN | acpi.PWRBTN_EN | acpi.RTC_EN;
const ENABLE_BITS = EVENT_ENABLE_BITS | acpi.PCIEXP_WAKE_DIS;
const CONTROL_BITS = acpi.BM_RLD | (acpi.SLP_TYP_MASK << acpi.SLP_TYP_SHIFT);
const PM1_CNT_OFFSET = acpi.PM1_EVT_LEN_BYTES;

export interface AcpiPowerOptions {
  /** The system control interrupt: level, active high. */
  readonly sci: InterruptLine;
  /** The guest enters the sleep state whose `\_Sx` object names this SLP_TYP. */
  readonly onSleep: (sleepType: number) => void;
}

export interface AcpiPowerState {
  version: 1;
  status: number;
  enable: number;
  control: number;
}

export class AcpiPower implements IoDevice {
  /** PM1a_EVT_BLK, then PM1a_CNT_BLK. */
  static readonly lengthBytes = acpi.PM1_EVT_LEN_BYTES + acpi.PM1_CNT_LEN_BYTES;
  readonly name = 'ACPI power management';
  readonly #sci: InterruptLine;
  readonly #onSleep: (sleepType: number) => void;
  #status = 0;
  #enable = 0;
  #control = 0;

  constructor(options: AcpiPowerOptions) {
    this.#sci = options.sci;
    this.#onSleep = options.onSleep;
  }

  /** The user presses the power button for a moment. */
  pressPowerButton(): void {
    this.#status |= acpi.PWRBTN_STS;
    this.#updateSci();
  }

  reset(): void {
    this.#status = this.#enable = this.#control = 0;
    this.#updateSci();
  }

  read(offset: number, sizeBytes: number): number {
    let value = 0;
    for (let i = 0; i < sizeBytes; i++) value += this.#readByte(offset + i) * 2 ** (8 * i);
    return value;
  }

  write(offset: number, sizeBytes: number, value: number): void {
    for (let i = 0; i < sizeBytes; i++) this.#writeByte(offset + i, (value >>> (8 * i)) & 0xff);
  }

  save(): AcpiPowerState {
    return { version: 1, status: this.#status, enable: this.#enable, control: this.#control };
  }

  /** @throws SavedStateError */
  restore(state: AcpiPowerState): void {
    const reader = new SavedStateReader(this.name, state, 1);
    const [status, enable, control] = (['status', 'enable', 'control'] as const).map((name) =>
      reader.uint(name, 0xffff),
    );
    this.#status = status! & STATUS_BITS;
    this.#enable = enable! & ENABLE_BITS;
    this.#control = control! & CONTROL_BITS;
    this.#updateSci();
  }

  #updateSci(): void {
    this.#sci.set((this.#status & this.#enable & EVENT_ENABLE_BITS) !== 0);
  }

  #readByte(offset: number): number {
    if (offset >= AcpiPower.lengthBytes) return allOnes(1);
    const shift = 8 * (offset & 1);
    switch (offset & ~1) {
      case acpi.PM1_STS_OFFSET:
        return (this.#status >> shift) & 0xff;
      case acpi.PM1_EN_OFFSET:
        return (this.#enable >> shift) & 0xff;
      default:
        return ((this.#control | acpi.SCI_EN) >> shift) & 0xff;
    }
  }

  #writeByte(offset: number, byte: number): void {
    if (offset >= AcpiPower.lengthBytes) return;
    const shift = 8 * (offset & 1);
    const bits = byte << shift;
    const others = 0xff << (8 - shift);
    switch (offset & ~1) {
      case acpi.PM1_STS_OFFSET:
        this.#status &= ~bits; // a written 1 clears
        break;
      case acpi.PM1_EN_OFFSET:
        this.#enable = ((this.#enable & others) | bits) & ENABLE_BITS;
        break;
      case PM1_CNT_OFFSET:
        this.#control = ((this.#control & others) | bits) & CONTROL_BITS;
        // SLP_TYP is in the same byte as SLP_EN, so it is up to date whatever the access's size.
        if (bits & acpi.SLP_EN) this.#onSleep((this.#control >> acpi.SLP_TYP_SHIFT) & acpi.SLP_TYP_MASK);
        break;
    }
    this.#updateSci();
  }
}
