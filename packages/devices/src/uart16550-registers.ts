/**
 * The registers of a 16550A UART (National Semiconductor PC16550D data sheet §8.0 "Registers") over shared memory.
 * Everything here runs under the lock of that memory; `uart16550.ts` has the threads.
 */
import * as uart from '@vireo/spec/uart16550';
import { allOnes } from './io-device.ts';
import type { SharedRing } from './shared-ring.ts';
import { type Uart16550Shared, WORD } from './uart16550-shared.ts';

/** A terminal that is always there. */
const MODEM_INPUTS = uart.MSR_DCD | uart.MSR_DSR | uart.MSR_CTS;
/** 9600 baud from the PC's 1.8432 MHz crystal (PC16550D Table III "Baud Rates"). */
const DIVISOR_AT_RESET = 12;

export class Uart16550Registers {
  /** This access made something that the host waits for: output where there was none, or room for its input. */
  wakeDue = false;
  readonly #shared: Uart16550Shared;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #output: SharedRing;

  constructor(shared: Uart16550Shared) {
    this.#shared = shared;
    this.#words = shared.words;
    this.#output = shared.output;
  }

  /** Master reset (PC16550D Table I "UART Reset Configuration"). The host's rings keep what is in them. */
  reset(): void {
    const words = this.#words;
    const cleared = [WORD.ier, WORD.lcr, WORD.mcr, WORD.fcr, WORD.lineErrors, WORD.thrEmptyDue, WORD.arrived];
    for (const index of cleared) words[index] = 0;
    words[WORD.divisor] = DIVISOR_AT_RESET;
    words[WORD.msr] = MODEM_INPUTS;
    this.#shared.loop.clear();
  }

  readRegister(offset: number): number {
    const words = this.#words;
    switch (offset) {
      case uart.UART_RBR:
        return this.#latchOpen() ? words[WORD.divisor]! & 0xff : this.#receiverBuffer();
      case uart.UART_IER:
        return this.#latchOpen() ? words[WORD.divisor]! >> 8 : words[WORD.ier]!;
      case uart.UART_IIR:
        return this.#identifyInterrupt();
      case uart.UART_LCR:
        return words[WORD.lcr]!;
      case uart.UART_MCR:
        return words[WORD.mcr]!;
      case uart.UART_LSR:
        return this.#lineStatus();
      case uart.UART_MSR:
        return this.#modemStatus();
      case uart.UART_SCR:
        return words[WORD.scr]!;
      default:
        return allOnes(1);
    }
  }

  writeRegister(offset: number, value: number): void {
    const words = this.#words;
    switch (offset) {
      case uart.UART_THR:
        if (this.#latchOpen()) words[WORD.divisor] = (words[WORD.divisor]! & 0xff00) | value;
        else this.#transmit(value);
        break;
      case uart.UART_IER:
        if (this.#latchOpen()) words[WORD.divisor] = (words[WORD.divisor]! & 0xff) | (value << 8);
        else this.#enableInterrupts(value & 0x0f);
        break;
      case uart.UART_FCR:
        this.#controlFifos(value);
        break;
      case uart.UART_LCR:
        words[WORD.lcr] = value;
        break;
      case uart.UART_MCR:
        this.#controlModem(value & 0x1f);
        break;
      case uart.UART_SCR:
        words[WORD.scr] = value;
        break;
      default: // LSR and MSR: only the factory writes them (§8.4, §8.9)
    }
  }

  #latchOpen(): boolean {
    return (this.#words[WORD.lcr]! & uart.LCR_DLAB) !== 0;
  }

  #loopback(): boolean {
    return (this.#words[WORD.mcr]! & uart.MCR_LOOP) !== 0;
  }

  #fifosEnabled(): boolean {
    return (this.#words[WORD.fcr]! & uart.FCR_FIFO_ENABLE) !== 0;
  }

  transmitterReady(): boolean {
    return this.#loopback() || this.#output.freeBytes >= uart.FIFO_LENGTH_BYTES;
  }

  #transmit(byte: number): void {
    if (this.#loopback()) this.#transmitToSelf(byte);
    else if (this.#output.freeBytes > 0) {
      // A guest that does not look at THRE loses what does not fit, as it would on the wire.
      this.#output.push(byte);
      if (this.#words[WORD.hostAwake] === 0) {
        this.#words[WORD.hostAwake] = 1;
        this.wakeDue = true;
      }
    }
    // Writing THR clears the interrupt, and the byte's departure raises it again.
    this.#words[WORD.thrEmptyDue] = this.transmitterReady() ? 1 : 0;
  }

  /** Loopback: what is transmitted is received at once (§8.8, "Bit 4"). */
  #transmitToSelf(byte: number): void {
    const { loop } = this.#shared;
    if (this.#received() >= (this.#fifosEnabled() ? uart.FIFO_LENGTH_BYTES : 1)) {
      this.#words[WORD.lineErrors]! |= uart.LSR_OE;
      if (this.#fifosEnabled()) return; // a full FIFO keeps what it has (§8.4, "Bit 1")
      loop.clear();
    }
    loop.push(byte);
  }

  /** Bytes in the receive FIFO, or in RBR when the FIFOs are off. */
  #received(): number {
    return this.#shared.loop.usedBytes + this.#words[WORD.arrived]!;
  }

  /** Lets input into the receive FIFO, as far as it has room and the guest is ready. */
  arrive(): void {
    const ready = this.#words[WORD.mcr]! & uart.MCR_RTS || this.#words[WORD.ier]! & uart.IER_ERBFI;
    if (!ready || this.#loopback()) return;
    const capacity = this.#fifosEnabled() ? uart.FIFO_LENGTH_BYTES : 1;
    const room = capacity - this.#shared.loop.usedBytes;
    const arrived = this.#words[WORD.arrived]!;
    this.#words[WORD.arrived] = Math.min(this.#shared.input.usedBytes, Math.max(arrived, room));
  }

  /** Wakes a host with input left over once half the ring is free. */
  tellOfInputRoom(): void {
    const { input } = this.#shared;
    if (this.#words[WORD.hostHasInput] === 0 || input.freeBytes < input.capacityBytes / 2) return;
    this.#words[WORD.hostHasInput] = 0;
    this.wakeDue = true;
  }

  #receiverBuffer(): number {
    const { loop, input } = this.#shared;
    if (loop.usedBytes > 0) return loop.shift();
    if (this.#words[WORD.arrived] === 0) return 0;
    const byte = input.shift();
    this.#words[WORD.arrived]! -= 1;
    this.arrive();
    this.tellOfInputRoom();
    return byte;
  }

  /** Empties the receive FIFO: what came from the host arrives again, after the reset. */
  #resetReceiver(): void {
    this.#shared.loop.clear();
    this.#words[WORD.arrived] = 0;
    this.arrive();
  }

  #enableInterrupts(value: number): void {
    const words = this.#words;
    const enabled = value & ~words[WORD.ier]!;
    words[WORD.ier] = value;
    // Enabling the interrupt with THR empty raises it at once (§8.6): drivers start transmission so.
    if (enabled & uart.IER_ETBEI && this.transmitterReady()) words[WORD.thrEmptyDue] = 1;
    if (enabled & uart.IER_ERBFI) this.arrive();
  }

  #controlFifos(value: number): void {
    const words = this.#words;
    const enable = value & uart.FCR_FIFO_ENABLE;
    const changed = (words[WORD.fcr]! & uart.FCR_FIFO_ENABLE) !== enable;
    // Without bit 0 the other bits are not programmed (§8.5, "Bit 0").
    if (enable) words[WORD.fcr] = value & ~(uart.FCR_RCVR_FIFO_RESET | uart.FCR_XMIT_FIFO_RESET);
    else words[WORD.fcr] = 0;
    // The transmit FIFO needs no reset: what was written is on the line already.
    if (changed || (enable && value & uart.FCR_RCVR_FIFO_RESET)) this.#resetReceiver();
  }

  #controlModem(value: number): void {
    const words = this.#words;
    const entersLoopback = value & ~words[WORD.mcr]! & uart.MCR_LOOP;
    words[WORD.mcr] = value;
    if (entersLoopback) words[WORD.arrived] = 0; // the receiver is disconnected
    this.arrive();
    this.#setModemInputs(value & uart.MCR_LOOP ? loopedInputs(value) : MODEM_INPUTS);
  }

  #setModemInputs(inputs: number): void {
    const words = this.#words;
    const before = words[WORD.msr]!;
    const changed = (before ^ inputs) & 0xf0;
    let deltas = before & 0x0f;
    if (changed & uart.MSR_CTS) deltas |= uart.MSR_DCTS;
    if (changed & uart.MSR_DSR) deltas |= uart.MSR_DDSR;
    if (changed & before & uart.MSR_RI) deltas |= uart.MSR_TERI; // the trailing edge only
    if (changed & uart.MSR_DCD) deltas |= uart.MSR_DDCD;
    words[WORD.msr] = inputs | deltas;
  }

  #modemStatus(): number {
    const value = this.#words[WORD.msr]!;
    this.#words[WORD.msr] = value & 0xf0;
    return value;
  }

  #lineStatus(): number {
    let value = this.#words[WORD.lineErrors]!;
    if (value !== 0) this.#words[WORD.lineErrors] = 0;
    if (this.#received() > 0) value |= uart.LSR_DR;
    if (this.transmitterReady()) value |= uart.LSR_THRE | uart.LSR_TEMT;
    return value;
  }

  #identifyInterrupt(): number {
    const pending = this.#pendingInterrupt();
    if (pending === uart.IIR_THR_EMPTY) this.#words[WORD.thrEmptyDue] = 0; // Table IV, "Interrupt Reset Control"
    return pending | (this.#fifosEnabled() ? uart.IIR_FIFOS_ENABLED : 0);
  }

  /** The pending interrupt of the highest priority (§8.6, Table IV). */
  #pendingInterrupt(): number {
    const words = this.#words;
    const enabled = words[WORD.ier]!;
    if (enabled === 0) return uart.IIR_NO_INTERRUPT;
    if (enabled & uart.IER_ELSI && words[WORD.lineErrors] !== 0) return uart.IIR_RECEIVER_LINE_STATUS;
    const received = this.#received();
    if (enabled & uart.IER_ERBFI && received > 0) {
      // Below the trigger level nothing more is coming, or it would be here: that is a time-out.
      return received >= this.#triggerLevel() ? uart.IIR_RECEIVED_DATA_AVAILABLE : uart.IIR_CHARACTER_TIMEOUT;
    }
    if (enabled & uart.IER_ETBEI && words[WORD.thrEmptyDue] === 1) return uart.IIR_THR_EMPTY;
    if (enabled & uart.IER_EDSSI && words[WORD.msr]! & 0x0f) return uart.IIR_MODEM_STATUS;
    return uart.IIR_NO_INTERRUPT;
  }

  #triggerLevel(): number {
    if (!this.#fifosEnabled()) return 1;
    return uart.RCVR_TRIGGER_LEVELS[this.#words[WORD.fcr]! >> uart.FCR_RCVR_TRIGGER_SHIFT] ?? 1;
  }

  /** On a PC, OUT2 lets the interrupt out; loopback forces it off (§8.8, "Bit 4"). */
  interruptLevel(): boolean {
    const gate = this.#words[WORD.mcr]! & (uart.MCR_OUT2 | uart.MCR_LOOP);
    return gate === uart.MCR_OUT2 && this.#pendingInterrupt() !== uart.IIR_NO_INTERRUPT;
  }
}

/** In loopback the modem control outputs are the inputs (§8.8, "Bit 4"). */
function loopedInputs(mcr: number): number {
  let inputs = 0;
  if (mcr & uart.MCR_RTS) inputs |= uart.MSR_CTS;
  if (mcr & uart.MCR_DTR) inputs |= uart.MSR_DSR;
  if (mcr & uart.MCR_OUT1) inputs |= uart.MSR_RI;
  if (mcr & uart.MCR_OUT2) inputs |= uart.MSR_DCD;
  return inputs;
}
