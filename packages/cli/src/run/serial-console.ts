/** The guest's serial console on this process's standard input and output: a terminal, pipes or files. */
import type { Readable, Writable } from 'node:stream';
import { ConsoleTerminal } from './terminal.ts';

/** Ctrl-], as in telnet and virsh console. */
const LEAVE = 0x1d;

/** Why the console ends the VM. */
export type ConsoleEnding =
  | { readonly kind: 'left' }
  | { readonly kind: 'hangup' }
  | { readonly kind: 'output-closed' }
  | { readonly kind: 'output-failed'; readonly error: Error };

export class SerialConsole {
  readonly input: Readable;
  readonly output: Writable;
  readonly #stdin: typeof process.stdin;
  readonly #terminal: ConsoleTerminal | undefined;
  readonly #onEnding: (ending: ConsoleEnding) => void;

  constructor(onEnding: (ending: ConsoleEnding) => void) {
    const { Readable } = process.getBuiltinModule('node:stream');
    this.#onEnding = onEnding;
    this.#stdin = process.stdin;
    this.output = process.stdout;
    doNotBlock(process.stdout);
    this.input = new Readable({ read: () => this.#resume() });
    if (this.#stdin.isTTY) this.#terminal = new ConsoleTerminal(this.#stdin.fd, () => this.#resume());
  }

  /** Somebody types: the input is a terminal, and in the foreground. */
  get isInteractive(): boolean {
    return this.#terminal?.raw ?? false;
  }

  open(): void {
    this.#stdin.on('data', this.#receive).on('end', this.#endInput).on('error', this.#endInput).pause();
    this.output.on('error', this.#failOutput);
    this.#terminal?.open();
    this.#resume();
  }

  /** Every way out ends here, but for those that only the terminal's own exit hook sees. */
  close(): void {
    this.#terminal?.close();
    this.#stdin.off('data', this.#receive).off('end', this.#endInput).pause();
  }

  /** In the background, reading would stop the whole process (SIGTTIN), and with it the guest. */
  #resume(): void {
    if (!this.#terminal || this.#terminal.raw) this.#stdin.resume();
    else this.#stdin.pause();
  }

  readonly #receive = (chunk: Buffer): void => {
    const leave = this.#terminal ? chunk.indexOf(LEAVE) : -1;
    const bytes = leave < 0 ? chunk : chunk.subarray(0, leave);
    if (bytes.length > 0 && !this.input.push(bytes)) this.#stdin.pause();
    if (leave >= 0) this.#onEnding({ kind: 'left' });
  };

  /** The end of a file or a pipe is nothing to the guest: a serial line has no end. A terminal's is a hang-up. */
  readonly #endInput = (): void => {
    if (this.#terminal) this.#onEnding({ kind: 'hangup' });
  };

  readonly #failOutput = (error: NodeJS.ErrnoException): void => {
    if (error.code === 'EPIPE') this.#onEnding({ kind: 'output-closed' });
    else if (error.code === 'EIO' && this.#terminal) this.#onEnding({ kind: 'hangup' });
    else this.#onEnding({ kind: 'output-failed', error });
  };
}

/**
 * Node waits for terminals to take what is written (process, "A note on process I/O"); a terminal that was stopped would
 * stop the VM, and the signals that end it. libuv has the other way, too; Node only shows it on the stream's handle.
 */
function doNotBlock(stream: NodeJS.WriteStream): void {
  if (!stream.isTTY) return;
  const { _handle: handle } = stream as { _handle?: { setBlocking?(blocking: boolean): void } };
  handle?.setBlocking?.(false);
}
