/** The small ports of the platform: reset control, system control port A, debug exit, pvpanic. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DebugExit } from './debug-exit.ts';
import { Pvpanic, type PvpanicEvent } from './pvpanic.ts';
import { ResetControl } from './reset-control.ts';
import { SavedStateError } from './saved-state.ts';
import { SystemControlPort } from './system-control-port.ts';
import { fuzzDevice } from './testing/fuzz-device.ts';

function counted<T>(make: (callback: () => void) => T) {
  const count = { resets: 0 };
  const device = make(() => count.resets++);
  return { device, count };
}

test('reset control: RST_CPU going from 0 to 1 resets the machine', () => {
  const { device, count } = counted((onReset) => new ResetControl(onReset));
  device.write(0, 1, 0x02);
  assert.equal(count.resets, 0);
  device.write(0, 1, 0x06);
  assert.equal(count.resets, 1);
  device.write(0, 1, 0x06);
  assert.equal(count.resets, 1);
  device.write(0, 1, 0x00);
  device.write(0, 1, 0xff);
  assert.equal(count.resets, 2);
  assert.equal(device.read(), 0x0e);
});

test('system control port A: the fast reset bit resets, A20 reads back', () => {
  const { device, count } = counted((onReset) => new SystemControlPort(onReset));
  assert.equal(device.read(), 0x02);
  device.write(0, 1, 0x00);
  assert.equal(device.read(), 0x00);
  device.write(0, 1, 0x03);
  device.write(0, 1, 0x03);
  assert.equal(count.resets, 1);
});

test('both ports resume as saved, without a reset, and refuse hostile states', () => {
  const makers = [
    (onReset: () => void) => new ResetControl(onReset),
    (onReset: () => void) => new SystemControlPort(onReset),
  ];
  for (const make of makers) {
    const { device } = counted<ResetControl | SystemControlPort>(make);
    device.write(0, 1, 0x02);
    const state = JSON.parse(JSON.stringify(device.save()));
    const restored = counted<ResetControl | SystemControlPort>(make);
    restored.device.restore({ ...state, value: 0xff });
    restored.device.restore(state);
    assert.deepEqual(restored.device.save(), state);
    assert.equal(restored.count.resets, 0);
    for (const change of [{ version: 2 }, { value: 256 }, { value: null }]) {
      assert.throws(() => device.restore({ ...state, ...change }), SavedStateError);
    }
    device.reset();
    assert.deepEqual(device.save(), make(() => {}).save());
  }
});

test('debug exit: any write reports its value', () => {
  const values: number[] = [];
  const device = new DebugExit((value) => values.push(value));
  device.write(0, 1, 0x10);
  device.write(0, 4, 0xffff_ffff);
  assert.deepEqual(values, [0x10, 0xffff_ffff]);
  assert.equal(device.read(), 0);
});

test('pvpanic: reads say what the host understands, writes say what happened', () => {
  const events: PvpanicEvent[] = [];
  const device = new Pvpanic((event) => events.push(event));
  assert.equal(device.read(), 3);
  for (const value of [1, 2, 3, 0, 0xf0]) device.write(0, 1, value);
  assert.deepEqual(events, ['panicked', 'crash-loaded', 'panicked']);
});

test('fuzz: no access to any of them throws or answers more than its size', () => {
  const makers = [
    () => new ResetControl(() => {}),
    () => new SystemControlPort(() => {}),
    () => new DebugExit(() => {}),
    () => new Pvpanic(() => {}),
  ];
  for (const make of makers) fuzzDevice({ lengthBytes: 4, make: () => ({ device: make() }), runs: 50 });
});
