/**
 * The I/O APIC: 24 pins, each with an entry that says which message it sends (Intel 82093AA data sheet §3.0 "Register
 * Description"). Messages reach local APICs over the bus of apic-bus.ts; EOIs come back as vectors.
 *
 * A pin of delivery mode ExtINT sends nothing: the 8259As are wired to LINT0.
 *
 * All methods need the lock.
 */
import type { IoapicState } from '@vireo/hypervisor';
import type { ApicBus } from './apic-bus.ts';
import { type ControllerMemory, IOAPIC } from './controller-memory.ts';
import { COMMAND_ASSERT, COMMAND_LEVEL } from './lapic-registers.ts';

export const IOAPIC_PINS = 24;
export const IOAPIC_GPA = 0xfec00000;
export const IOAPIC_SIZE_BYTES = 0x100;

/** Offsets (§3.1 "Memory Mapped Registers for Accessing IOAPIC Registers"). */
const IOREGSEL = 0x00;
const IOWIN = 0x10;

/** Indices (§3.2 "IOAPIC Registers"). */
const IOAPICID = 0;
const IOAPICVER = 1;
const IOAPICARB = 2;
const IOREDTBL = 0x10;

const VERSION = 0x11 | ((IOAPIC_PINS - 1) << 16);

/** Fields of an entry's low half (§3.2.4 "IOREDTBL[23:0]—I/O Redirection Table Registers"). */
const ENTRY_REMOTE_IRR = 1 << 14;
const ENTRY_LEVEL = COMMAND_LEVEL;
const ENTRY_MASKED = 1 << 16;
/** Delivery status is never seen busy; remote IRR is the I/O APIC's own. */
const ENTRY_LOW_WRITABLE = 0x1afff;
const ENTRY_HIGH_WRITABLE = 0xff000000;
/** Vector, delivery mode, destination mode, trigger mode are where a message's command has them. */
const ENTRY_COMMAND = 0x8fff;
const POWER_UP_ENTRY = ENTRY_MASKED;

export class Ioapic {
  readonly #memory: ControllerMemory;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #at: number;
  readonly #bus: ApicBus;

  constructor(memory: ControllerMemory, bus: ApicBus) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#at = memory.ioapicAt;
    this.#bus = bus;
  }

  reset(): void {
    this.#words.fill(0, this.#at, this.#at + IOAPIC.words);
    this.#memory.writeWide(this.#at + IOAPIC.baseAddress, BigInt(IOAPIC_GPA));
    for (let pin = 0; pin < IOAPIC_PINS; pin++) this.#setLow(pin, POWER_UP_ENTRY);
  }

  /** Registers are 32 bits wide; narrower reads give their low part. */
  read(offset: number): number {
    if (offset === IOREGSEL) return this.#field(IOAPIC.ioregsel);
    return offset === IOWIN ? this.#readRegister(this.#field(IOAPIC.ioregsel)) : 0;
  }

  write(offset: number, value: number): void {
    if (offset === IOREGSEL) this.#setField(IOAPIC.ioregsel, value & 0xff);
    if (offset === IOWIN) this.#writeRegister(this.#field(IOAPIC.ioregsel), value);
  }

  setPin(pin: number, level: boolean): void {
    const bit = 1 << pin;
    const irr = this.#field(IOAPIC.irr);
    this.#setField(IOAPIC.irr, level ? irr | bit : irr & ~bit);
    if (!level || (!this.#isLevel(pin) && (irr & bit) !== 0)) return;
    this.#setField(IOAPIC.delivered, this.#field(IOAPIC.delivered) & ~bit);
    this.#service(pin);
  }

  /** A local APIC ended a level-triggered interrupt: pins that are still high interrupt again. */
  endInterrupt(vector: number): void {
    for (let pin = 0; pin < IOAPIC_PINS; pin++) {
      const low = this.#low(pin);
      if ((low & ENTRY_LEVEL) === 0 || (low & 0xff) !== vector) continue;
      this.#setLow(pin, low & ~ENTRY_REMOTE_IRR);
      if ((this.#field(IOAPIC.irr) & (1 << pin)) !== 0) this.#service(pin);
    }
  }

  /** Edges that were sent are done with: they are not among the pins. */
  getState(): IoapicState {
    return {
      baseAddress: BigInt.asUintN(64, this.#memory.readWide(this.#at + IOAPIC.baseAddress)),
      ioregsel: this.#field(IOAPIC.ioregsel),
      id: this.#field(IOAPIC.id),
      irr: (this.#field(IOAPIC.irr) & ~this.#field(IOAPIC.delivered)) >>> 0,
      redirectionTable: Array.from(
        { length: IOAPIC_PINS },
        (_, pin) => BigInt(this.#low(pin) >>> 0) | (BigInt(this.#high(pin) >>> 0) << 32n),
      ),
    };
  }

  /** Pins that are high and were not served are served now. */
  setState(state: IoapicState): void {
    this.reset();
    this.#memory.writeWide(this.#at + IOAPIC.baseAddress, BigInt.asIntN(64, state.baseAddress));
    this.#setField(IOAPIC.ioregsel, state.ioregsel & 0xff);
    this.#setField(IOAPIC.id, state.id & 0xf);
    for (let pin = 0; pin < IOAPIC_PINS; pin++) {
      const entry = state.redirectionTable[pin] ?? BigInt(POWER_UP_ENTRY);
      this.#setLow(pin, Number(entry & 0xffffffffn) & (ENTRY_LOW_WRITABLE | ENTRY_REMOTE_IRR));
      this.#setHigh(pin, Number(entry >> 32n) & ENTRY_HIGH_WRITABLE);
    }
    for (let pin = 0; pin < IOAPIC_PINS; pin++) if ((state.irr & (1 << pin)) !== 0) this.setPin(pin, true);
  }

  #readRegister(index: number): number {
    if (index === IOAPICID || index === IOAPICARB) return (this.#field(IOAPIC.id) << 24) >>> 0;
    if (index === IOAPICVER) return VERSION;
    const pin = (index - IOREDTBL) >> 1;
    if (pin < 0 || pin >= IOAPIC_PINS) return 0xffffffff; // as KVM has it
    return (index & 1 ? this.#high(pin) : this.#low(pin)) >>> 0;
  }

  #writeRegister(index: number, value: number): void {
    if (index === IOAPICID) this.#setField(IOAPIC.id, (value >>> 24) & 0xf);
    const pin = (index - IOREDTBL) >> 1;
    if (pin < 0 || pin >= IOAPIC_PINS) return;
    if (index & 1) this.#setHigh(pin, value & ENTRY_HIGH_WRITABLE);
    else this.#writeEntryLow(pin, value);
  }

  #writeEntryLow(pin: number, value: number): void {
    // Kernels clear a remote IRR that is stuck by making the pin edge-triggered for a while.
    const kept = (value & ENTRY_LEVEL) === 0 ? 0 : this.#low(pin) & ENTRY_REMOTE_IRR;
    this.#setLow(pin, (value & ENTRY_LOW_WRITABLE) | kept);
    // An edge that came while the pin was masked is lost, a level is not (§3.2.4, "Interrupt Mask").
    if (this.#isLevel(pin) && (this.#field(IOAPIC.irr) & (1 << pin)) !== 0) this.#service(pin);
  }

  #service(pin: number): void {
    const low = this.#low(pin);
    const level = (low & ENTRY_LEVEL) !== 0;
    if ((low & ENTRY_MASKED) !== 0 || (level && (low & ENTRY_REMOTE_IRR) !== 0)) return;
    const taken = this.#bus.deliver((low & ENTRY_COMMAND) | COMMAND_ASSERT, this.#high(pin) >>> 24);
    if (!taken) return;
    if (level) this.#setLow(pin, low | ENTRY_REMOTE_IRR);
    else this.#setField(IOAPIC.delivered, this.#field(IOAPIC.delivered) | (1 << pin));
  }

  #isLevel(pin: number): boolean {
    return (this.#low(pin) & ENTRY_LEVEL) !== 0;
  }

  #field(field: number): number {
    return this.#words[this.#at + field]!;
  }

  #setField(field: number, value: number): void {
    this.#words[this.#at + field] = value;
  }

  #low(pin: number): number {
    return this.#field(IOAPIC.redirectionTable + 2 * pin);
  }

  #setLow(pin: number, value: number): void {
    this.#setField(IOAPIC.redirectionTable + 2 * pin, value);
  }

  #high(pin: number): number {
    return this.#field(IOAPIC.redirectionTable + 2 * pin + 1);
  }

  #setHigh(pin: number, value: number): void {
    this.#setField(IOAPIC.redirectionTable + 2 * pin + 1, value);
  }
}
