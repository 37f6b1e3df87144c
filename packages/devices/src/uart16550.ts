/**
 * The PC's serial port: a 16550A UART with FIFOs and interrupts (National Semiconductor PC16550D data sheet).
 *
 * Threads. A console writes one character an exit, and a hand-over to another thread costs more than the exit. So
 * all state is in shared memory, each thread has a `Uart16550` of its own over it, and a vCPU serves its accesses
 * itself. One lock guards everything; accesses hold it for nanoseconds.
 *
 * Time. The line is infinitely fast: what the guest transmits is in the host's ring at once, and the four character
 * times of a receive time-out have passed as soon as no more input is there.
 *
 * Flow. The far end obeys RTS (and takes an enabled receive interrupt for it, for guests that ignore modem control):
 * a byte arrives only when the guest is ready for it, and one that a FIFO reset would drop arrives after the reset
 * instead. So what was typed before the guest opened its console is not lost. In the other direction THRE stays low
 * while the host's ring has no room for a FIFO's worth, and the guest waits.
 */
import type { InterruptLine, IoDevice } from './io-device.ts';
import { SharedInterruptLine } from './shared-interrupt-line.ts';
import type { SharedRing } from './shared-ring.ts';
import { Uart16550Registers } from './uart16550-registers.ts';
import { UART_SHARED_SIZE_BYTES, Uart16550Shared, WORD } from './uart16550-shared.ts';
import { restoreUart16550, saveUart16550, type Uart16550State } from './uart16550-state.ts';

export interface Uart16550Options {
  /** `Uart16550.sharedSizeBytes` bytes that `Uart16550.initialise` has seen once. */
  readonly shared: SharedArrayBuffer;
  /** This thread's way to the interrupt line. */
  readonly line: InterruptLine;
  /**
   * Tells the host's thread that there is output, once until all of it was drained, or room for input again after
   * a `receive` that took less than all.
   */
  readonly wakeHost: () => void;
}

export class Uart16550 implements IoDevice {
  static readonly sharedSizeBytes = UART_SHARED_SIZE_BYTES;
  readonly name = '16550A UART';
  readonly #shared: Uart16550Shared;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #registers: Uart16550Registers;
  readonly #output: SharedRing;
  readonly #line: SharedInterruptLine;
  readonly #wakeHost: () => void;

  constructor(options: Uart16550Options) {
    this.#shared = new Uart16550Shared(options.shared);
    this.#words = this.#shared.words;
    this.#output = this.#shared.output;
    this.#registers = new Uart16550Registers(this.#shared);
    this.#line = new SharedInterruptLine(this.#shared.lock, this.#words, WORD.lineLevel, options.line);
    this.#wakeHost = options.wakeHost;
  }

  /** Power-on state; before any thread makes its object. */
  static initialise(shared: SharedArrayBuffer): void {
    const view = new Uart16550Shared(shared);
    view.words.fill(0);
    new Uart16550Registers(view).reset();
  }

  /** The machine's reset. What is on the wire in either direction stays there. */
  reset(): void {
    this.#enter();
    this.#registers.reset();
    this.#leave();
  }

  // The guest's side.

  read(offset: number, sizeBytes: number): number {
    if (sizeBytes !== 1) return this.#readWide(offset, sizeBytes);
    this.#enter();
    const value = this.#registers.readRegister(offset);
    this.#leave();
    return value;
  }

  write(offset: number, sizeBytes: number, value: number): void {
    if (sizeBytes !== 1) {
      this.#writeWide(offset, sizeBytes, value);
      return;
    }
    this.#enter();
    this.#registers.writeRegister(offset, value & 0xff);
    this.#leave();
  }

  // The host's side: one thread only.

  /** The far end sends. @returns how many bytes were taken; the rest must be sent again after `wakeHost`. */
  receive(bytes: Uint8Array): number {
    const { input } = this.#shared;
    this.#shared.lock.acquire();
    const accepted = Math.min(bytes.length, input.freeBytes);
    this.#shared.lock.release();
    input.copyIn(bytes.subarray(0, accepted));
    this.#enter();
    input.produce(accepted);
    this.#registers.arrive();
    if (accepted < bytes.length) {
      this.#words[WORD.hostHasInput] = 1;
      this.#registers.tellOfInputRoom(); // the guest may have read since we looked
    }
    this.#leave();
    return accepted;
  }

  /**
   * Takes transmitted bytes, the oldest first. @returns how many. After less than a full target the next byte wakes
   * the host again; after a full one the host must come back by itself.
   */
  drain(target: Uint8Array): number {
    let drained = 0;
    let pending = this.outputPending;
    // More may come while we copy, and it does not wake us: only an empty ring makes the next byte do that.
    while (pending > 0 && drained < target.length) {
      const part = target.subarray(drained, drained + pending);
      this.#output.copyOut(part);
      pending = this.#consumeOutput(part.length);
      drained += part.length;
    }
    return drained;
  }

  /** Bytes that `drain` can take. */
  get outputPending(): number {
    this.#shared.lock.acquire();
    const pending = this.#output.usedBytes;
    this.#shared.lock.release();
    return pending;
  }

  /** Bytes that `receive` can take. */
  get inputRoom(): number {
    this.#shared.lock.acquire();
    const room = this.#shared.input.freeBytes;
    this.#shared.lock.release();
    return room;
  }

  save(): Uart16550State {
    this.#shared.lock.acquire();
    const state = saveUart16550(this.#shared);
    this.#shared.lock.release();
    return state;
  }

  /** With the vCPUs stopped. @throws SavedStateError when it is not a state that a UART can have. */
  restore(state: Uart16550State): void {
    restoreUart16550(this.#shared, state);
    this.#enter();
    // The interrupt controllers may believe anything: drive the line whatever it was.
    this.#line.forget();
    this.#registers.wakeDue = this.#output.usedBytes > 0;
    this.#words[WORD.hostAwake] = this.#registers.wakeDue ? 1 : 0;
    this.#leave();
  }

  /** @returns how much is left. */
  #consumeOutput(lengthBytes: number): number {
    this.#enter();
    const wasReady = this.#registers.transmitterReady();
    this.#output.consume(lengthBytes);
    if (!wasReady && this.#registers.transmitterReady()) this.#words[WORD.thrEmptyDue] = 1;
    const pending = this.#output.usedBytes;
    if (pending === 0) this.#words[WORD.hostAwake] = 0;
    this.#leave();
    return pending;
  }

  #enter(): void {
    this.#shared.lock.acquire();
  }

  /** Ends an access: notes what it did to the interrupt line, unlocks, drives the line, wakes the host. */
  #leave(): void {
    const drives = this.#line.note(this.#registers.interruptLevel());
    const wakes = this.#registers.wakeDue;
    this.#registers.wakeDue = false;
    this.#shared.lock.release();
    if (drives) this.#line.drive();
    if (wakes) this.#wakeHost();
  }

  #readWide(offset: number, sizeBytes: number): number {
    let value = 0;
    for (let i = 0; i < sizeBytes && i < 4; i++) value |= this.read(offset + i, 1) << (8 * i);
    return value >>> 0;
  }

  #writeWide(offset: number, sizeBytes: number, value: number): void {
    for (let i = 0; i < sizeBytes && i < 4; i++) this.write(offset + i, 1, (value >>> (8 * i)) & 0xff);
  }
}
