import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as uart from '@vireo/spec/uart16550';
import { fuzzDevice } from './testing/fuzz-device.ts';
import { RecordingLine } from './testing/recording-line.ts';
import { Uart16550 } from './uart16550.ts';

const OUTPUT_RING_BYTES = 64 * 1024;
const INPUT_RING_BYTES = 4096;
const FIFO_ON = uart.FCR_FIFO_ENABLE;

function makeUart() {
  const shared = new SharedArrayBuffer(Uart16550.sharedSizeBytes);
  Uart16550.initialise(shared);
  const line = new RecordingLine();
  const wakes = { count: 0 };
  const device = new Uart16550({ shared, line, wakeHost: () => wakes.count++ });
  return { device, line, wakes, shared };
}

/** As a driver leaves it: FIFOs on, trigger level 1, modem outputs on. */
function makeOpenUart(ier = 0, fcr = FIFO_ON) {
  const made = makeUart();
  out(made.device, uart.UART_FCR, fcr);
  out(made.device, uart.UART_MCR, uart.MCR_DTR | uart.MCR_RTS | uart.MCR_OUT2);
  out(made.device, uart.UART_IER, ier);
  return made;
}

const out = (device: Uart16550, register: number, value: number) => device.write(register, 1, value);
const inp = (device: Uart16550, register: number) => device.read(register, 1);
const text = (bytes: string) => new TextEncoder().encode(bytes);

function drainAll(device: Uart16550): Uint8Array {
  const bytes = new Uint8Array(device.outputPending);
  assert.equal(device.drain(bytes), bytes.length);
  return bytes;
}

function readAll(device: Uart16550): string {
  let received = '';
  while (inp(device, uart.UART_LSR) & uart.LSR_DR)
    received += String.fromCharCode(inp(device, uart.UART_RBR));
  return received;
}

test('Table I: registers after reset', () => {
  const { device, line } = makeUart();
  const registers = [
    uart.UART_IER,
    uart.UART_IIR,
    uart.UART_LCR,
    uart.UART_MCR,
    uart.UART_LSR,
    uart.UART_MSR,
  ];
  assert.deepEqual(
    registers.map((register) => inp(device, register)),
    [0, 0x01, 0, 0, 0x60, 0xb0],
  );
  assert.equal(line.calls, 0);
});

test('transmitted bytes reach the host in order, and a burst wakes it once', () => {
  const { device, wakes } = makeOpenUart();
  for (const byte of text('hello')) out(device, uart.UART_THR, byte);
  assert.equal(wakes.count, 1);
  assert.equal(new TextDecoder().decode(drainAll(device)), 'hello');
  out(device, uart.UART_THR, 0x21);
  assert.equal(wakes.count, 2);
});

test('a host that takes part of the output is not woken again until it has all', () => {
  const { device, wakes } = makeOpenUart();
  for (const byte of text('abcdef')) out(device, uart.UART_THR, byte);
  const two = new Uint8Array(2);
  assert.equal(device.drain(two), 2);
  out(device, uart.UART_THR, 0x67);
  assert.equal(wakes.count, 1);
  assert.equal(new TextDecoder().decode(drainAll(device)), 'cdefg');
});

test('a full output ring holds THRE low, and draining it raises the interrupt: nothing is lost', () => {
  const { device, line } = makeOpenUart();
  let sent = 0;
  while (inp(device, uart.UART_LSR) & uart.LSR_THRE) {
    // A driver that saw THRE fills the whole FIFO without looking again.
    for (let i = 0; i < uart.FIFO_LENGTH_BYTES; i++) out(device, uart.UART_THR, sent++ & 0xff);
  }
  assert.equal(sent, OUTPUT_RING_BYTES);
  assert.equal(inp(device, uart.UART_LSR) & uart.LSR_TEMT, 0);
  out(device, uart.UART_IER, uart.IER_ETBEI);
  assert.equal(line.level, false);
  const first = new Uint8Array(8);
  device.drain(first);
  assert.equal(line.level, false, 'no room for a FIFO yet');
  const rest = drainAll(device);
  assert.equal(line.level, true);
  assert.equal(inp(device, uart.UART_IIR) & 0x0f, uart.IIR_THR_EMPTY);
  for (let i = 0; i < sent; i++) assert.equal(i < 8 ? first[i] : rest[i - 8], i & 0xff);
});

test('§8.6: enabling ETBEI with THR empty raises the interrupt, and reading IIR clears it', () => {
  const { device, line } = makeOpenUart(uart.IER_ETBEI);
  assert.equal(line.level, true);
  assert.equal(inp(device, uart.UART_IIR), uart.IIR_FIFOS_ENABLED | uart.IIR_THR_EMPTY);
  assert.equal(line.level, false);
  assert.equal(inp(device, uart.UART_IIR), uart.IIR_FIFOS_ENABLED | uart.IIR_NO_INTERRUPT);
  out(device, uart.UART_IER, uart.IER_ETBEI); // already enabled: no new edge
  assert.equal(line.level, false);
  out(device, uart.UART_IER, 0);
  out(device, uart.UART_IER, uart.IER_ETBEI);
  assert.equal(line.edges, 2);
});

test('a byte that leaves THR raises the interrupt again, without touching the line for the next ones', () => {
  const { device, line } = makeOpenUart(uart.IER_ETBEI);
  inp(device, uart.UART_IIR);
  const calls = line.calls;
  for (const byte of text('0123456789abcdef')) out(device, uart.UART_THR, byte);
  assert.equal(line.level, true);
  assert.equal(line.calls, calls + 1);
});

test('§8.6, Table IV: interrupts are identified by priority', () => {
  const all = uart.IER_ELSI | uart.IER_ERBFI | uart.IER_ETBEI | uart.IER_EDSSI;
  const { device } = makeOpenUart();
  // Overrun the receiver in loopback; changing the modem lines sets MSR deltas.
  out(device, uart.UART_MCR, uart.MCR_LOOP);
  for (let i = 0; i < 17; i++) out(device, uart.UART_THR, i);
  out(device, uart.UART_IER, all);
  const identify = () => inp(device, uart.UART_IIR) & 0x0f;
  assert.equal(identify(), uart.IIR_RECEIVER_LINE_STATUS);
  assert.equal(inp(device, uart.UART_LSR) & uart.LSR_OE, uart.LSR_OE);
  assert.equal(identify(), uart.IIR_RECEIVED_DATA_AVAILABLE);
  for (let i = 0; i < 16; i++) assert.equal(inp(device, uart.UART_RBR), i, 'a full FIFO kept what it had');
  assert.equal(identify(), uart.IIR_THR_EMPTY);
  assert.equal(identify(), uart.IIR_MODEM_STATUS);
  inp(device, uart.UART_MSR);
  assert.equal(identify(), uart.IIR_NO_INTERRUPT);
});

test('FIFO interrupts: trigger levels, and a time-out below them', () => {
  for (const [bits, level] of uart.RCVR_TRIGGER_LEVELS.entries()) {
    const { device, line } = makeOpenUart(uart.IER_ERBFI, FIFO_ON | (bits << uart.FCR_RCVR_TRIGGER_SHIFT));
    for (let count = 1; count <= 16; count++) {
      device.receive(Uint8Array.of(count));
      const expected = count >= level ? uart.IIR_RECEIVED_DATA_AVAILABLE : uart.IIR_CHARACTER_TIMEOUT;
      assert.equal(inp(device, uart.UART_IIR) & 0x0f, expected, `${count} of ${level}`);
    }
    assert.equal(line.edges, 1);
    readAll(device);
    assert.equal(line.level, false);
  }
});

test('without FIFOs one byte is received at a time', () => {
  const { device, line } = makeOpenUart(uart.IER_ERBFI, 0);
  device.receive(text('xy'));
  assert.equal(inp(device, uart.UART_IIR), uart.IIR_RECEIVED_DATA_AVAILABLE);
  assert.equal(inp(device, uart.UART_RBR), 0x78);
  assert.equal(inp(device, uart.UART_LSR) & uart.LSR_DR, uart.LSR_DR);
  assert.equal(inp(device, uart.UART_RBR), 0x79);
  assert.equal(inp(device, uart.UART_LSR) & (uart.LSR_DR | uart.LSR_OE), 0);
  assert.equal(line.level, false);
});

test('input ring: a short receive is followed by a wake once there is room', () => {
  const { device, wakes } = makeOpenUart();
  const bytes = new Uint8Array(INPUT_RING_BYTES + 100).map((_, i) => i & 0xff);
  assert.equal(device.receive(bytes), INPUT_RING_BYTES);
  for (let i = 0; i < INPUT_RING_BYTES / 2 - 1; i++) assert.equal(inp(device, uart.UART_RBR), i & 0xff);
  assert.equal(wakes.count, 0);
  inp(device, uart.UART_RBR);
  assert.equal(wakes.count, 1);
  assert.equal(device.inputRoom, INPUT_RING_BYTES / 2);
  assert.equal(device.receive(bytes.subarray(INPUT_RING_BYTES)), 100);
  for (let i = INPUT_RING_BYTES / 2; i < bytes.length; i++) {
    assert.equal(inp(device, uart.UART_RBR), i & 0xff);
  }
  assert.equal(wakes.count, 1);
});

test('input waits for RTS or an enabled receive interrupt, and survives FIFO resets', () => {
  const { device } = makeUart();
  device.receive(text('typed early'));
  assert.equal(inp(device, uart.UART_LSR) & uart.LSR_DR, 0);
  out(device, uart.UART_FCR, FIFO_ON | uart.FCR_RCVR_FIFO_RESET | uart.FCR_XMIT_FIFO_RESET);
  out(device, uart.UART_IER, uart.IER_ERBFI);
  out(device, uart.UART_FCR, 0);
  out(device, uart.UART_FCR, FIFO_ON);
  assert.equal(readAll(device), 'typed early');
  out(device, uart.UART_IER, 0);
  device.receive(text('more'));
  assert.equal(readAll(device), '');
  out(device, uart.UART_MCR, uart.MCR_RTS);
  assert.equal(readAll(device), 'more');
});

test('§8.8: loopback receives what is sent, routes the modem lines and gates the interrupt', () => {
  const { device, line } = makeOpenUart(uart.IER_ERBFI);
  inp(device, uart.UART_MSR);
  out(device, uart.UART_MCR, uart.MCR_LOOP | uart.MCR_OUT2 | uart.MCR_RTS);
  assert.equal(inp(device, uart.UART_MSR) & 0xf0, uart.MSR_CTS | uart.MSR_DCD);
  device.receive(text('host'));
  out(device, uart.UART_THR, 0x55);
  assert.equal(line.level, false, 'OUT2 is forced inactive');
  assert.equal(inp(device, uart.UART_RBR), 0x55);
  assert.equal(inp(device, uart.UART_LSR) & uart.LSR_DR, 0, 'the receiver is disconnected');
  assert.equal(device.outputPending, 0);
  out(device, uart.UART_MCR, uart.MCR_OUT2 | uart.MCR_RTS);
  assert.equal(line.level, true);
  assert.equal(readAll(device), 'host');
});

test('§8.9: modem status deltas, of RI only the trailing edge', () => {
  const { device } = makeUart();
  const modem = (mcr: number) => {
    out(device, uart.UART_MCR, mcr);
    return inp(device, uart.UART_MSR);
  };
  assert.equal(modem(uart.MCR_LOOP), uart.MSR_DCTS | uart.MSR_DDSR | uart.MSR_DDCD);
  assert.equal(modem(uart.MCR_LOOP), 0);
  assert.equal(modem(uart.MCR_LOOP | uart.MCR_OUT1), uart.MSR_RI);
  assert.equal(modem(uart.MCR_LOOP), uart.MSR_TERI);
});

test('MCR.OUT2 gates the interrupt line', () => {
  const { device, line } = makeOpenUart(uart.IER_ETBEI);
  assert.equal(line.level, true);
  out(device, uart.UART_MCR, uart.MCR_RTS);
  assert.equal(line.level, false);
  out(device, uart.UART_MCR, uart.MCR_RTS | uart.MCR_OUT2);
  assert.equal(line.level, true);
});

test('§8.3: the divisor latch hides RBR, THR and IER; the scratch register scratches', () => {
  const { device } = makeOpenUart(uart.IER_ELSI);
  out(device, uart.UART_LCR, uart.LCR_DLAB | 3);
  out(device, uart.UART_DLL, 0x34);
  out(device, uart.UART_DLM, 0x12);
  assert.deepEqual([inp(device, uart.UART_DLL), inp(device, uart.UART_DLM)], [0x34, 0x12]);
  out(device, uart.UART_LCR, 3);
  assert.equal(inp(device, uart.UART_IER), uart.IER_ELSI);
  assert.equal(device.outputPending, 0);
  out(device, uart.UART_SCR, 0xa5);
  assert.equal(inp(device, uart.UART_SCR), 0xa5);
});

test('wide accesses are bytes side by side', () => {
  const { device } = makeOpenUart();
  device.write(uart.UART_LCR, 2, 0x0203);
  assert.equal(inp(device, uart.UART_LCR), 3);
  assert.equal(inp(device, uart.UART_MCR), 2);
  assert.equal(device.read(uart.UART_LCR, 4), 0xb0600203);
  assert.equal(device.read(uart.UART_SCR, 4), 0xffffff00);
});

test('a reset lowers the line and keeps what is on the wire', () => {
  const { device, line } = makeOpenUart(uart.IER_ETBEI);
  out(device, uart.UART_THR, 0x41);
  device.receive(text('b'));
  device.reset();
  assert.equal(line.level, false);
  assert.equal(inp(device, uart.UART_IER), 0);
  assert.equal(new TextDecoder().decode(drainAll(device)), 'A');
  out(device, uart.UART_MCR, uart.MCR_RTS);
  assert.equal(readAll(device), 'b');
});

test('fuzz: no access throws, hangs or answers more than its size', () => {
  fuzzDevice({
    lengthBytes: uart.UART_REGISTERS_LENGTH_BYTES,
    make: () => {
      const { device } = makeUart();
      const buffer = new Uint8Array(64);
      return {
        device,
        host: (event) => {
          if (event % 3 === 0) device.receive(buffer.subarray(0, event % 64));
          else if (event % 3 === 1) device.drain(buffer.subarray(0, event % 64));
          else device.restore(JSON.parse(JSON.stringify(device.save())));
        },
      };
    },
  });
});
