import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as uart from '@vireo/spec/uart16550';
import fc from 'fast-check';
import { SavedStateError } from './saved-state.ts';
import { RecordingLine } from './testing/recording-line.ts';
import { Uart16550 } from './uart16550.ts';
import type { Uart16550State } from './uart16550-state.ts';

function makeUart() {
  const shared = new SharedArrayBuffer(Uart16550.sharedSizeBytes);
  Uart16550.initialise(shared);
  const line = new RecordingLine();
  const wakes = { count: 0 };
  return { device: new Uart16550({ shared, line, wakeHost: () => wakes.count++ }), line, wakes };
}

function busyState(): Uart16550State {
  const { device } = makeUart();
  const setUp: [register: number, value: number][] = [
    [uart.UART_LCR, uart.LCR_DLAB],
    [uart.UART_DLL, 1],
    [uart.UART_LCR, 3],
    [uart.UART_FCR, 0xc1],
    [uart.UART_MCR, 0x0b],
    [uart.UART_SCR, 0x5a],
    [uart.UART_IER, 0x0f],
    [uart.UART_THR, 0x41],
    [uart.UART_THR, 0x42],
  ];
  for (const [register, value] of setUp) device.write(register, 1, value);
  device.receive(new Uint8Array(40).map((_, i) => i));
  return device.save();
}

test('a saved UART resumes: registers, both directions of the wire, the line and the wake', () => {
  const state = JSON.parse(JSON.stringify(busyState()));
  const { device, line, wakes } = makeUart();
  device.restore(state);
  assert.deepEqual(device.save(), state);
  assert.equal(line.level, true);
  assert.equal(wakes.count, 1);
  const output = new Uint8Array(8);
  assert.equal(device.drain(output), 2);
  assert.deepEqual([...output.subarray(0, 2)], [0x41, 0x42]);
  for (let i = 0; i < 40; i++) assert.equal(device.read(uart.UART_RBR, 1), i);
});

test('restoring drives the line even where it believes to know it', () => {
  const { device, line } = makeUart();
  device.restore(makeUart().device.save());
  assert.deepEqual([line.calls, line.level], [1, false]);
});

test('a hostile state is refused, and changes nothing', () => {
  const { device } = makeUart();
  const before = device.save();
  const hostile: Record<string, unknown>[] = [
    { version: 2 },
    { ier: 0x10 },
    { ier: -1 },
    { mcr: 0.5 },
    { lcr: '3' },
    { divisor: null },
    { arrived: 17 },
    { arrived: 3, input: [1, 2] },
    { loop: [1] }, // 16 have arrived
    { input: new Array(4097).fill(0) },
    { output: [256] },
    { output: 'AB' },
    { thrEmptyDue: 2 },
  ];
  for (const change of hostile) {
    assert.throws(() => device.restore({ ...busyState(), ...change } as Uart16550State), SavedStateError);
  }
  for (const value of [null, undefined, 3, 'state', []]) {
    assert.throws(() => device.restore(value as unknown as Uart16550State), SavedStateError);
  }
  assert.deepEqual(device.save(), before);
});

test('fuzz: any JSON is a state or is refused', () => {
  const names = Object.keys(busyState());
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), fc.jsonValue()), (change) => {
      const { device } = makeUart();
      try {
        device.restore({ ...busyState(), ...change } as unknown as Uart16550State);
      } catch (error) {
        assert.ok(error instanceof SavedStateError, String(error));
      }
    }),
  );
});
