import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import * as uart from '@vireo/spec/uart16550';
import { SharedLevel } from './testing/shared-level.ts';
import type { UartGuestData } from './testing/uart-guest.ts';
import { Uart16550 } from './uart16550.ts';

const MIB = 1024 * 1024;

function makeUart() {
  const shared = new SharedArrayBuffer(Uart16550.sharedSizeBytes);
  Uart16550.initialise(shared);
  const level = new SharedArrayBuffer(SharedLevel.sizeBytes);
  const line = new SharedLevel(level);
  const device = new Uart16550({ shared, line, wakeHost: () => {} });
  return { shared, level, line, device };
}

/** Runs a guest in a thread of its own, and `host` whenever it wakes us; `wakes` counts how often it did. */
async function runGuest(data: UartGuestData, host: () => void): Promise<number> {
  const worker = new Worker(new URL('./testing/uart-guest.ts', import.meta.url), { workerData: data });
  let wakes = 0;
  await new Promise<void>((resolve, reject) => {
    worker.on('error', reject);
    worker.on('message', (message: 'wake' | 'done') => {
      if (message === 'done') return resolve();
      wakes++;
      host();
    });
  });
  await worker.terminate();
  return wakes;
}

/** Drains into one array until the ring is empty, in odd portions. */
function makeSink(device: Uart16550, lengthBytes: number) {
  const bytes = new Uint8Array(lengthBytes + 1);
  const sink = {
    bytes,
    length: 0,
    drain(): void {
      for (let drained = 1; drained > 0; sink.length += drained) {
        drained = device.drain(bytes.subarray(sink.length, sink.length + 1777));
      }
    },
  };
  return sink;
}

test('1 MiB from a vCPU thread arrives whole and in order, on wakes alone', async () => {
  const { shared, level, device } = makeUart();
  const sink = makeSink(device, MIB);
  const wakes = await runGuest({ shared, level, role: 'transmit', lengthBytes: MIB }, sink.drain);
  assert.equal(sink.length, MIB);
  for (let i = 0; i < MIB; i++) if (sink.bytes[i] !== i % 251) assert.fail(`byte ${i} is ${sink.bytes[i]}`);
  assert.ok(wakes < MIB / 16, `${wakes} wakes`);
});

for (const role of ['echo', 'interrupt-driven'] as const) {
  test(`${role} guest: sends back all it was sent while both threads use the port`, async () => {
    const lengthBytes = 200_000;
    const { shared, level, device } = makeUart();
    device.write(uart.UART_FCR, 1, uart.FCR_FIFO_ENABLE);
    device.write(uart.UART_MCR, 1, uart.MCR_RTS | uart.MCR_OUT2);
    if (role === 'interrupt-driven') device.write(uart.UART_IER, 1, uart.IER_ERBFI);
    const source = Uint8Array.from({ length: lengthBytes }, (_, i) => i % 241);
    const sink = makeSink(device, lengthBytes);
    let sent = 0;
    const pump = (async () => {
      while (sent < lengthBytes) {
        sent += device.receive(source.subarray(sent, sent + 1 + (sent % 37)));
        sink.drain();
        if (sent % 64 === 0) await setImmediate();
      }
    })();
    await runGuest({ shared, level, role, lengthBytes }, sink.drain);
    await pump;
    assert.deepEqual(sink.bytes.subarray(0, sink.length), source);
  });
}

test('two threads that change the interrupt line leave it at the level that the registers call for', async () => {
  const { shared, level, line, device } = makeUart();
  device.write(uart.UART_MCR, 1, uart.MCR_OUT2);
  let stop = false;
  const contender = (async () => {
    while (!stop) {
      for (let i = 0; i < 200; i++) device.write(uart.UART_MCR, 1, i % 2 === 0 ? 0 : uart.MCR_OUT2);
      await setImmediate();
    }
  })();
  for (const lengthBytes of [100_000, 100_001]) {
    await runGuest({ shared, level, role: 'toggle', lengthBytes }, () => {});
  }
  stop = true;
  await contender;
  assert.equal(line.level, true, 'ETBEI was enabled last, by the odd count');
  device.read(uart.UART_IIR, 1);
  assert.equal(line.level, false);
});
