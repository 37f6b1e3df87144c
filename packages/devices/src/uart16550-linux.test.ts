/**
 * The register accesses by which Linux's 8250 driver finds out what it has, in their order (Linux 6.1
 * drivers/tty/serial/8250/8250_port.c: `autoconfig`, `autoconfig_16550a`, `serial8250_do_startup`).
 */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import * as uart from '@vireo/spec/uart16550';
import { RecordingLine } from './testing/recording-line.ts';
import { Uart16550 } from './uart16550.ts';

const FCR_64_BYTES = 0x20;
const IER_UUE = 0x40;

describe('Linux 8250 probe', () => {
  let device: Uart16550;
  let line: RecordingLine;
  const out = (register: number, value: number) => device.write(register, 1, value);
  const inp = (register: number) => device.read(register, 1);

  beforeEach(() => {
    const shared = new SharedArrayBuffer(Uart16550.sharedSizeBytes);
    Uart16550.initialise(shared);
    line = new RecordingLine();
    device = new Uart16550({ shared, line, wakeHost: () => {} });
  });

  test('there is a port: IER keeps its four bits, loopback routes OUT2 and RTS', () => {
    out(uart.UART_IER, 0);
    assert.equal(inp(uart.UART_IER) & 0x0f, 0);
    out(uart.UART_IER, 0x0f);
    assert.equal(inp(uart.UART_IER) & 0x0f, 0x0f);
    out(uart.UART_IER, 0);
    out(uart.UART_MCR, uart.MCR_LOOP | uart.MCR_OUT2 | uart.MCR_RTS);
    assert.equal(inp(uart.UART_MSR) & 0xf0, 0x90);
  });

  test('it is a 16550A: IIR says working FIFOs', () => {
    out(uart.UART_LCR, 0xbf);
    out(uart.UART_FCR, 0);
    out(uart.UART_LCR, 0);
    out(uart.UART_FCR, uart.FCR_FIFO_ENABLE);
    assert.equal(inp(uart.UART_IIR) >> 6, 3);
  });

  test('and none of its relatives', () => {
    out(uart.UART_FCR, uart.FCR_FIFO_ENABLE);
    for (const lcr of [0x80, 0xbf]) {
      out(uart.UART_LCR, lcr);
      assert.notEqual(inp(uart.UART_IIR), 0, 'no enhanced feature register: no 16650 or 16850');
    }
    // A National SuperIO's EXCR1, in a bank that LCR selects, would follow MCR's loopback bit.
    out(uart.UART_LCR, 0xe0);
    const before = inp(uart.UART_IIR) & uart.MCR_LOOP;
    out(uart.UART_LCR, 0);
    out(uart.UART_MCR, uart.MCR_LOOP);
    out(uart.UART_LCR, 0xe0);
    assert.equal(inp(uart.UART_IIR) & uart.MCR_LOOP, before, 'no NS16550A');
    out(uart.UART_LCR, 0);
    out(uart.UART_MCR, 0);
    for (const lcr of [0, 0x80]) {
      out(uart.UART_LCR, lcr);
      out(uart.UART_FCR, uart.FCR_FIFO_ENABLE | FCR_64_BYTES);
      assert.equal(inp(uart.UART_IIR) >> 5, 6, 'no 64-byte FIFO: no 16750');
      out(uart.UART_FCR, uart.FCR_FIFO_ENABLE);
    }
    out(uart.UART_LCR, 0);
    out(uart.UART_IER, IER_UUE);
    assert.equal(inp(uart.UART_IER) & IER_UUE, 0, 'no XScale');
  });

  test('its FIFO has 16 bytes, by sending 256 to itself', () => {
    out(uart.UART_FCR, uart.FCR_FIFO_ENABLE | uart.FCR_RCVR_FIFO_RESET | uart.FCR_XMIT_FIFO_RESET);
    out(uart.UART_MCR, uart.MCR_LOOP);
    for (let count = 0; count < 256; count++) out(uart.UART_THR, count);
    let received = 0;
    while (inp(uart.UART_LSR) & uart.LSR_DR && received < 256) {
      inp(uart.UART_RBR);
      received++;
    }
    assert.equal(received, 16);
  });

  test('opening it: no stuck LSR, no lost THRE interrupts, no missing transmitter interrupt', () => {
    assert.notEqual(inp(uart.UART_LSR), 0xff);
    const withThrInterrupt = () => {
      out(uart.UART_IER, uart.IER_ETBEI);
      const iir = inp(uart.UART_IIR);
      out(uart.UART_IER, 0);
      return iir & uart.IIR_NO_INTERRUPT;
    };
    assert.deepEqual([withThrInterrupt(), withThrInterrupt()], [0, 0], 'UART_BUG_THRE');
    out(uart.UART_IER, uart.IER_ETBEI);
    assert.equal(inp(uart.UART_LSR) & uart.LSR_TEMT, uart.LSR_TEMT);
    assert.equal(inp(uart.UART_IIR) & uart.IIR_NO_INTERRUPT, 0, 'UART_BUG_TXEN');
    out(uart.UART_IER, 0);
  });

  test('what was typed before the first open is read after it', () => {
    device.receive(new TextEncoder().encode('root\n'));
    const clearFifos = () => {
      out(uart.UART_FCR, uart.FCR_FIFO_ENABLE);
      out(uart.UART_FCR, uart.FCR_FIFO_ENABLE | uart.FCR_RCVR_FIFO_RESET | uart.FCR_XMIT_FIFO_RESET);
      out(uart.UART_FCR, 0);
    };
    const clearInterrupts = () => {
      for (const register of [uart.UART_LSR, uart.UART_RBR, uart.UART_IIR, uart.UART_MSR]) inp(register);
    };
    clearFifos();
    clearInterrupts();
    out(uart.UART_LCR, 3);
    out(uart.UART_MCR, uart.MCR_DTR | uart.MCR_OUT2);
    clearInterrupts();
    // set_termios
    out(uart.UART_IER, uart.IER_ELSI | uart.IER_ERBFI);
    out(uart.UART_FCR, uart.FCR_FIFO_ENABLE);
    out(uart.UART_FCR, 0x81);
    out(uart.UART_MCR, uart.MCR_DTR | uart.MCR_RTS | uart.MCR_OUT2);
    assert.equal(line.level, true);
    let received = '';
    while (!(inp(uart.UART_IIR) & uart.IIR_NO_INTERRUPT)) {
      received += String.fromCharCode(inp(uart.UART_RBR));
    }
    assert.equal(received, 'root\n');
    assert.equal(line.level, false);
  });
});
