/**
 * The far end of the serial port: carries bytes between the UART's rings and two streams, with back-pressure both
 * ways, and watches for the line in which a Linux guest says that it panicked.
 */
import type { Uart16550 } from '@vireo/devices/uart16550';
import type { ConsoleStreams } from '../config.ts';

const CHUNK_BYTES = 65536;
/** `Kernel panic - not syncing: Attempted to kill init!` (Linux, kernel/panic.c). */
const PANIC = /Kernel panic - not syncing: ?([^\r\n]*)/;
/** What is kept of the output's end to find the line in, however it is cut; and the longest message. */
const TAIL_BYTES = 512;

export class SerialConsole {
  #streams: ConsoleStreams | undefined;
  readonly #chunk = Buffer.alloc(CHUNK_BYTES);
  #uart: Uart16550 | undefined;
  #unsent: Uint8Array = new Uint8Array();
  #blocked = false;
  readonly #waiting: (() => void)[] = [];
  #tail = '';
  /** What the guest's kernel said when it panicked last, since `attach`. */
  panic: string | undefined;

  /** What the guest printed before stays in its port, and goes out now. */
  connect(streams: ConsoleStreams): void {
    this.#streams = streams;
    streams.input.on('data', this.#onData);
    streams.output.on('drain', this.#onDrain).on('close', this.#onDrain);
    this.collect();
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
    if (this.#uart === undefined || this.#streams === undefined) return;
    if (this.#unsent.length > 0) this.#send();
    // After less than a full chunk the next byte wakes us again. To go on until nothing is left would be to go on
    // for as long as the guest prints.
    while (!this.#blocked && this.#carry(this.#uart, this.#streams) === CHUNK_BYTES);
  }

  /**
   * The machine is gone; what is typed waits for the next one. What is left in its port is sent at whatever pace the
   * output has: it is no more than the port's ring holds.
   */
  detach(): void {
    while (this.#uart && this.#streams && this.#carry(this.#uart, this.#streams) > 0);
    this.#uart = undefined;
  }

  /** Resolves once the output takes more, or nothing any more. */
  async ready(): Promise<void> {
    if (this.#blocked) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Lets go of the streams. */
  close(): void {
    this.detach();
    if (this.#streams === undefined) return;
    const { input, output } = this.#streams;
    input.off('data', this.#onData);
    input.pause();
    output.off('drain', this.#onDrain).off('close', this.#onDrain);
  }

  readonly #onData = (bytes: Uint8Array): void => {
    this.#unsent = this.#unsent.length === 0 ? bytes : Buffer.concat([this.#unsent, bytes]);
    this.#send();
  };

  readonly #onDrain = (): void => {
    this.#blocked = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
    this.collect();
  };

  #send(): void {
    if (this.#unsent.length === 0) return;
    if (this.#uart !== undefined) this.#unsent = this.#unsent.subarray(this.#uart.receive(this.#unsent));
    // Without a machine, too: a file at the input would be read into memory while the kernel is unpacked.
    if (this.#unsent.length > 0) this.#streams?.input.pause();
    else this.#streams?.input.resume();
  }

  /** Sends one chunk of output. @returns its length. */
  #carry(uart: Uart16550, { output }: ConsoleStreams): number {
    const length = uart.drain(this.#chunk);
    if (length === 0) return 0;
    const bytes = Buffer.from(this.#chunk.subarray(0, length));
    this.#watch(bytes);
    // A guest does not stop because nobody listens any more.
    this.#blocked = output.writable && !output.write(bytes);
    return length;
  }

  #watch(bytes: Buffer): void {
    if (this.panic !== undefined) return;
    const text = this.#tail + bytes.toString('latin1');
    const found = PANIC.exec(text);
    if (found && text.length > found.index + found[0].length) this.panic = printable(found[1]!);
    this.#tail = found ? text.slice(found.index).slice(0, TAIL_BYTES) : text.slice(-TAIL_BYTES);
  }
}

/** The guest may have written anything there, and it is shown on terminals that its console is not on. */
function printable(message: string): string {
  return message
    .slice(0, TAIL_BYTES)
    .trim()
    .replace(/[^ -~]/g, '?');
}
