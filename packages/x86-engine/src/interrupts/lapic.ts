/**
 * One local APIC's acceptance and priorities: what is requested, what is in service, what its vCPU has to look at
 * (Intel SDM Vol. 3A §10.8 "Handling Interrupts"). Registers are in lapic-access.ts, the timer in lapic-timer.ts.
 *
 * All methods need the lock, save where they say otherwise.
 */
import { type ControllerMemory, HEADER, LAPIC, NEVER } from './controller-memory.ts';
import * as apic from './lapic-registers.ts';

/** A deliverable interrupt, of this APIC or through it from the 8259As. Says nothing of the vCPU's IF. */
export const PENDING_INTERRUPT = 1 << 0;
export const PENDING_NMI = 1 << 1;
export const PENDING_INIT = 1 << 2;
/** To be taken after INIT where both are pending. */
export const PENDING_STARTUP = 1 << 3;

/** Vectors of `LocalApic.highest…`: none. */
export const NO_VECTOR = -1;

const WORD_VECTORS = 32;

export class LocalApic {
  readonly id: number;
  readonly #memory: ControllerMemory;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #at: number;

  constructor(memory: ControllerMemory, id: number) {
    this.id = id;
    this.#memory = memory;
    this.#words = memory.words;
    this.#at = memory.lapicAt(id);
  }

  register(offset: number): number {
    return this.#words[this.#at + LAPIC.page + (offset >> 2)]! >>> 0;
  }

  setRegister(offset: number, value: number): void {
    this.#words[this.#at + LAPIC.page + (offset >> 2)] = value;
  }

  /** IA32_APIC_BASE. Needs no lock in its vCPU's thread. */
  get apicBase(): bigint {
    return this.#memory.readWide(this.#at + LAPIC.apicBase);
  }

  /** Changes the mode with the registers that depend on it, whatever the mode was. */
  set apicBase(value: bigint) {
    this.#memory.writeWide(this.#at + LAPIC.apicBase, value);
    this.restoreIdentity();
  }

  /** The registers that say who this APIC is: not software's to choose, but for the logical id in xAPIC mode. */
  restoreIdentity(): void {
    this.setRegister(apic.APIC_VERSION, apic.APIC_VERSION_VALUE);
    this.setRegister(apic.APIC_ID, this.x2apic ? this.id : this.id << 24);
    if (this.x2apic) this.setRegister(apic.APIC_LDR, x2apicLogicalId(this.id));
    this.update();
  }

  /** §10.4.3 "Enabling or Disabling the Local APIC". Both modes live in the low word. */
  get enabled(): boolean {
    return (this.#words[this.#at + LAPIC.apicBase]! & Number(apic.APIC_BASE_ENABLE)) !== 0;
  }

  get x2apic(): boolean {
    const both = Number(apic.APIC_BASE_ENABLE | apic.APIC_BASE_X2APIC);
    return (this.#words[this.#at + LAPIC.apicBase]! & both) === both;
  }

  get softwareEnabled(): boolean {
    return this.enabled && (this.register(apic.APIC_SVR) & apic.SVR_ENABLE) !== 0;
  }

  /** Host time at which the timer fires, masked or not. */
  get timerDeadline(): bigint {
    return this.#memory.readWide(this.#at + LAPIC.timerDeadline);
  }

  set timerDeadline(nanoseconds: bigint) {
    this.#memory.writeWide(this.#at + LAPIC.timerDeadline, nanoseconds);
  }

  /** IA32_TSC_DEADLINE; 0 when disarmed. */
  get tscDeadline(): bigint {
    return BigInt.asUintN(64, this.#memory.readWide(this.#at + LAPIC.tscDeadline));
  }

  set tscDeadline(value: bigint) {
    this.#memory.writeWide(this.#at + LAPIC.tscDeadline, BigInt.asIntN(64, value));
  }

  get errors(): number {
    return this.#words[this.#at + LAPIC.errors]!;
  }

  set errors(bits: number) {
    this.#words[this.#at + LAPIC.errors] = bits;
  }

  get sipiVector(): number {
    return this.#words[this.#at + LAPIC.sipiVector]!;
  }

  set sipiVector(vector: number) {
    this.#words[this.#at + LAPIC.sipiVector] = vector;
  }

  /** Needs no lock. */
  get pending(): number {
    return Atomics.load(this.#words, this.#at + LAPIC.pending);
  }

  /** Where `pending` and `wake` are in the memory's words, for who looks at them often or sleeps on them. */
  get pendingIndex(): number {
    return this.#at + LAPIC.pending;
  }

  get wakeIndex(): number {
    return this.#at + LAPIC.wake;
  }

  /** Sets bits of `pending`; wakes the vCPU's thread if one of them is new. */
  signal(bits: number): void {
    const before = Atomics.or(this.#words, this.pendingIndex, bits);
    if ((before & bits) === bits) return;
    this.#memory.alert(this.id);
    Atomics.add(this.#words, this.wakeIndex, 1);
    Atomics.notify(this.#words, this.wakeIndex);
  }

  /** Clears bits of `pending`. @returns those that were set */
  takeSignals(bits: number): number {
    return Atomics.and(this.#words, this.pendingIndex, ~bits) & bits;
  }

  /** Accepts an interrupt (§10.8.4 "Interrupt Acceptance for Fixed Interrupts"). @returns false when it is refused */
  accept(vector: number, levelTriggered: boolean): boolean {
    if (!this.softwareEnabled) return false;
    if (vector < apic.FIRST_LEGAL_VECTOR) {
      this.recordError(apic.ESR_RECEIVE_ILLEGAL_VECTOR);
      return false;
    }
    this.#setVector(apic.APIC_IRR, vector, true);
    this.#setVector(apic.APIC_TMR, vector, levelTriggered);
    this.update();
    return true;
  }

  /** §10.5.3 "Error Handling". */
  recordError(bit: number): void {
    this.errors |= bit;
    const lvt = this.register(apic.APIC_LVT_ERROR);
    const vector = lvt & 0xff;
    // An illegal vector here would be one more error, without end.
    if ((lvt & apic.LVT_MASKED) === 0 && vector >= apic.FIRST_LEGAL_VECTOR) this.accept(vector, false);
  }

  /** §10.8.3.1 "Task and Processor Priorities". */
  get processorPriority(): number {
    const task = this.register(apic.APIC_TPR) & 0xff;
    const inService = Math.max(this.#highest(apic.APIC_ISR), 0);
    return task >> 4 >= inService >> 4 ? task : inService & 0xf0;
  }

  /** The highest requested vector whose class is above the processor's priority, or NO_VECTOR. */
  get highestDeliverable(): number {
    const requested = this.#highest(apic.APIC_IRR);
    return requested >> 4 > this.processorPriority >> 4 ? requested : NO_VECTOR;
  }

  /** Whether the 8259As' INT output interrupts this vCPU: through LINT0 as ExtINT, or directly while the APIC is off. */
  get takesExternalInterrupt(): boolean {
    if (this.#words[HEADER.picOutput] === 0) return false;
    if (!this.enabled) return true;
    const lint0 = this.register(apic.APIC_LVT_LINT0);
    return (lint0 & apic.LVT_MASKED) === 0 && apic.deliveryMode(lint0) === apic.DELIVERY_EXTINT;
  }

  /** The 8259As' INT output rose, and LINT0 is not ExtINT (§10.5.1 "Local Vector Table"). */
  raiseLint0(): void {
    const lint0 = this.register(apic.APIC_LVT_LINT0);
    if (!this.enabled || (lint0 & apic.LVT_MASKED) !== 0) return;
    const mode = apic.deliveryMode(lint0);
    if (mode === apic.DELIVERY_FIXED) this.accept(lint0 & 0xff, false);
    if (mode === apic.DELIVERY_NMI) this.signal(PENDING_NMI);
  }

  /** IRR → ISR. @returns the vector, or NO_VECTOR */
  acknowledge(): number {
    const vector = this.highestDeliverable;
    if (vector === NO_VECTOR) return NO_VECTOR;
    this.#setVector(apic.APIC_IRR, vector, false);
    this.#setVector(apic.APIC_ISR, vector, true);
    this.update();
    return vector;
  }

  /**
   * Ends the highest interrupt in service (§10.8.5 "Signaling Interrupt Servicing Completion").
   * @returns its vector if it was level-triggered, for I/O APICs to hear of, else NO_VECTOR
   */
  endInterrupt(): number {
    const vector = this.#highest(apic.APIC_ISR);
    if (vector === NO_VECTOR) return NO_VECTOR;
    this.#setVector(apic.APIC_ISR, vector, false);
    this.update();
    return this.#hasVector(apic.APIC_TMR, vector) ? vector : NO_VECTOR;
  }

  /** To be called after every change that may make an interrupt deliverable, or the contrary. */
  update(): void {
    const interrupts = this.takesExternalInterrupt || (this.enabled && this.highestDeliverable !== NO_VECTOR);
    if (interrupts) this.signal(PENDING_INTERRUPT);
    else this.takeSignals(PENDING_INTERRUPT);
  }

  /**
   * The registers after power-up or INIT (§10.4.7.1 "Local APIC State After Power-Up or Reset", §10.4.7.3), the mode
   * stays. No firmware runs here, so the boot processor's LINT0 is as firmware leaves it, in virtual wire mode.
   */
  resetRegisters(): void {
    this.#words.fill(0, this.#at + LAPIC.page, this.#at + LAPIC.page + apic.APIC_PAGE_BYTES / 4);
    this.setRegister(apic.APIC_DFR, 0xffffffff);
    this.setRegister(apic.APIC_SVR, 0xff);
    for (const lvt of apic.APIC_LVTS) this.setRegister(lvt, apic.LVT_MASKED);
    if ((this.apicBase & apic.APIC_BASE_BSP) !== 0n)
      this.setRegister(apic.APIC_LVT_LINT0, apic.DELIVERY_EXTINT << apic.DELIVERY_SHIFT);
    this.errors = 0;
    this.timerDeadline = NEVER;
    this.tscDeadline = 0n;
    this.restoreIdentity();
  }

  #highest(offset: number): number {
    for (let i = apic.VECTOR_WORDS - 1; i >= 0; i--) {
      const word = this.register(offset + i * apic.VECTOR_WORD_STRIDE);
      if (word !== 0) return i * WORD_VECTORS + 31 - Math.clz32(word);
    }
    return NO_VECTOR;
  }

  #hasVector(offset: number, vector: number): boolean {
    return ((this.register(wordOf(offset, vector)) >> (vector & 31)) & 1) !== 0;
  }

  #setVector(offset: number, vector: number, on: boolean): void {
    const word = wordOf(offset, vector);
    const bit = 1 << (vector & 31);
    const value = this.register(word);
    this.setRegister(word, on ? value | bit : value & ~bit);
  }
}

function wordOf(offset: number, vector: number): number {
  return offset + (vector >> 5) * apic.VECTOR_WORD_STRIDE;
}

/** §10.12.10.2 "Deriving Logical x2APIC ID from the Local x2APIC ID". */
function x2apicLogicalId(id: number): number {
  return ((id >> 4) << 16) | (1 << (id & 0xf));
}
