/**
 * The far end of the serial port: carries bytes between the UART's rings and two streams, with back-pressure both
 * ways, and watches for the line in which a Linux guest says that it panicked.
 */
import type { Readable, Writable } from 'node:stream';
import type { Uart16550 } from '@vireo/devices/uart16550';

const CHUNK_BYTES = 65536;
/** `Kernel panic - not syncing: Attempted to kill init!` (Linux, kernel/panic.c). */
const PANIC = /Kernel panic - not syncing: ?([^\r\n]*)/;
/** What is kept of the output's end to find the line in, however it is cut. */
const TAIL_BYTES = 512;

export class SerialConsole {
  readonly #input: Readable;
  readonly #output: Writable;
  readonly #chunk = Buffer.alloc(CHUNK_BYTES);
  #uart: Uart16550 | undefined;
  #unsent: Uint8Array = new Uint8Array();
  #blocked = false;
  #tail = '';
  /** What the guest's kernel said when it panicked last, since `attach`. */
  panic: string | undefined;

  constructor(streams: { readonly input: Readable; readonly output: Writable }) {
    this.#input = streams.input;
    this.#output = streams.output;
    this.#input.on('data', this.#onData);
    this.#output.on('drain', this.#onDrain);
  }

  /** Connects the port of a machine that starts; what was typed meanwhile goes there. */
  attach(uart: Uart16550): void {
    this.#uart = uart;
    this.panic = undefined;
    this.#tail = '';
    this.#send();
  }

  /** Moves what can be moved now in both directions; called when the UART woke the host. */
  collect(): void {
    if (this.#uart === undefined) return;
    if (this.#unsent.length > 0) this.#send();
    while (!this.#blocked) {
      const length = this.#uart.drain(this.#chunk);
      if (length === 0) return;
      const bytes = Buffer.from(this.#chunk.subarray(0, length));
      this.#watch(bytes);
      this.#blocked = !this.#output.write(bytes);
    }
  }

  /** The machine is gone; what is typed waits for the next one. */
  detach(): void {
    this.#uart = undefined;
  }

  /** Lets go of the streams. */
  close(): void {
    this.detach();
    this.#input.off('data', this.#onData);
    this.#input.pause();
    this.#output.off('drain', this.#onDrain);
  }

  readonly #onData = (bytes: Uint8Array): void => {
    this.#unsent = this.#unsent.length === 0 ? bytes : Buffer.concat([this.#unsent, bytes]);
    this.#send();
  };

  readonly #onDrain = (): void => {
    this.#blocked = false;
    this.collect();
  };

  #send(): void {
    if (this.#uart === undefined || this.#unsent.length === 0) return;
    this.#unsent = this.#unsent.subarray(this.#uart.receive(this.#unsent));
    if (this.#unsent.length > 0) this.#input.pause();
    else this.#input.resume();
  }

  #watch(bytes: Buffer): void {
    if (this.panic !== undefined) return;
    const text = this.#tail + bytes.toString('latin1');
    const found = PANIC.exec(text);
    if (found && text.length > found.index + found[0].length) this.panic = found[1]!.trim();
    this.#tail = found ? text.slice(found.index).slice(0, TAIL_BYTES) : text.slice(-TAIL_BYTES);
  }
}
