/** A vCPU's thread for `uart16550-threads.test.ts`: a guest that drives the UART in one of several ways. */
import { parentPort, workerData } from 'node:worker_threads';
import * as uart from '@vireo/spec/uart16550';
import { Uart16550 } from '../uart16550.ts';
import { SharedLevel } from './shared-level.ts';

export interface UartGuestData {
  readonly shared: SharedArrayBuffer;
  readonly level: SharedArrayBuffer;
  readonly role: 'transmit' | 'echo' | 'toggle' | 'interrupt-driven';
  readonly lengthBytes: number;
}

const { shared, level, role, lengthBytes } = workerData as UartGuestData;
const line = new SharedLevel(level);
const device = new Uart16550({ shared, line, wakeHost: () => parentPort?.postMessage('wake') });
const inp = (register: number) => device.read(register, 1);
const out = (register: number, value: number) => device.write(register, 1, value);

/** Polls, as a kernel's console does: a FIFO's worth whenever THRE is set. */
function transmit(): void {
  for (let sent = 0; sent < lengthBytes; ) {
    if (!(inp(uart.UART_LSR) & uart.LSR_THRE)) continue;
    for (let i = 0; i < uart.FIFO_LENGTH_BYTES && sent < lengthBytes; i++) out(uart.UART_THR, sent++ % 251);
  }
}

/** Sends back all it receives. */
function echo(): void {
  for (let echoed = 0; echoed < lengthBytes; ) {
    if (!(inp(uart.UART_LSR) & uart.LSR_DR)) continue;
    const byte = inp(uart.UART_RBR);
    while (!(inp(uart.UART_LSR) & uart.LSR_THRE));
    out(uart.UART_THR, byte);
    echoed++;
  }
}

/** Raises and lowers the line as fast as it can. */
function toggle(): void {
  for (let i = 0; i < lengthBytes; i++) out(uart.UART_IER, i % 2 === 0 ? uart.IER_ETBEI : 0);
}

/** Echoes, but acts once an edge of its interrupt, as behind an edge-triggered input: a missed edge is a hang. */
function echoByInterrupts(): void {
  for (let echoed = 0; echoed < lengthBytes; ) {
    line.waitForEdge();
    while (!(inp(uart.UART_IIR) & uart.IIR_NO_INTERRUPT)) {
      while (inp(uart.UART_LSR) & uart.LSR_DR) {
        const byte = inp(uart.UART_RBR);
        while (!(inp(uart.UART_LSR) & uart.LSR_THRE));
        out(uart.UART_THR, byte);
        echoed++;
      }
    }
  }
}

const roles = { transmit, echo, toggle, 'interrupt-driven': echoByInterrupts };
roles[role]();
parentPort?.postMessage('done');
