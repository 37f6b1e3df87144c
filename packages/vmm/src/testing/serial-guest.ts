/** A guest at the other end of a serial console: a UART that prints and reads as a driver does, in the test's own thread. */
import { setImmediate } from 'node:timers/promises';
import { Uart16550 } from '@vireo/devices/uart16550';
import * as registers from '@vireo/spec/uart16550';
import type { SerialConsole } from '../machine/serial-console.ts';

const NO_LINE = { set: () => {} };

export class SerialGuest {
  /** The console's end of the port. */
  readonly hostPort: Uart16550;
  readonly #port: Uart16550;

  /** `console` is told as a vCPU's thread tells the host. */
  constructor(console: SerialConsole) {
    const shared = new SharedArrayBuffer(Uart16550.sharedSizeBytes);
    Uart16550.initialise(shared);
    const wakeHost = () => void setImmediate().then(() => console.collect());
    this.hostPort = new Uart16550({ shared, line: NO_LINE, wakeHost });
    this.#port = new Uart16550({ shared, line: NO_LINE, wakeHost });
    this.#out(registers.UART_FCR, registers.FCR_FIFO_ENABLE);
    this.#out(registers.UART_MCR, registers.MCR_RTS);
  }

  /** Prints all of it, waiting for the transmitter as a kernel's console does. */
  async print(bytes: Uint8Array | string): Promise<void> {
    const text = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    for (let at = 0; at < text.length; ) {
      if (!this.transmitterReady) await setImmediate();
      else at += this.printNow(text.subarray(at, at + registers.FIFO_LENGTH_BYTES));
    }
  }

  /** Prints without looking; for what is known to fit. @returns how much. */
  printNow(bytes: Uint8Array): number {
    for (const byte of bytes) this.#out(registers.UART_THR, byte);
    return bytes.length;
  }

  get transmitterReady(): boolean {
    return (this.#in(registers.UART_LSR) & registers.LSR_THRE) !== 0;
  }

  /** Reads what has arrived, up to so many bytes. */
  read(maxBytes: number): Uint8Array {
    const bytes: number[] = [];
    while (bytes.length < maxBytes && this.#in(registers.UART_LSR) & registers.LSR_DR)
      bytes.push(this.#in(registers.UART_RBR));
    return Uint8Array.from(bytes);
  }

  #in(register: number): number {
    return this.#port.read(register, 1);
  }

  #out(register: number, value: number): void {
    this.#port.write(register, 1, value);
  }
}
