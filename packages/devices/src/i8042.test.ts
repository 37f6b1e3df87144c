import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as i8042 from '@vireo/spec/i8042';
import { I8042 } from './i8042.ts';
import type { I8042State } from './i8042-state.ts';
import { SavedStateError } from './saved-state.ts';
import { fuzzDevice } from './testing/fuzz-device.ts';
import { RecordingLine } from './testing/recording-line.ts';

function makeController() {
  const line = new RecordingLine();
  const count = { resets: 0 };
  const device = new I8042({ line, onReset: () => count.resets++ });
  return {
    device,
    line,
    count,
    command: (value: number) => device.command.write(0, 1, value),
    send: (value: number) => device.data.write(0, 1, value),
    status: () => device.command.read(0, 1),
    receive: () => {
      assert.equal(
        device.command.read(0, 1) & i8042.I8042_STR_OBF,
        i8042.I8042_STR_OBF,
        'there is an answer',
      );
      return device.data.read(0, 1);
    },
  };
}

test('pulsing output bit 0 low resets the machine', () => {
  const { command, count } = makeController();
  command(0xff);
  assert.equal(count.resets, 0);
  command(0xfe);
  command(0xf0);
  assert.equal(count.resets, 2);
});

test('writing the output port with bit 0 low resets the machine too', () => {
  const { command, send, receive, count } = makeController();
  command(i8042.I8042_CMD_WRITE_OUTPUT_PORT);
  send(0xdf);
  assert.equal(count.resets, 0);
  command(i8042.I8042_CMD_READ_OUTPUT_PORT);
  assert.equal(receive(), 0xdf);
  command(i8042.I8042_CMD_WRITE_OUTPUT_PORT);
  send(0xfe & ~1);
  assert.equal(count.resets, 1);
});

test('self-test, interface test and command byte answer as a working controller', () => {
  const { command, send, receive, status } = makeController();
  command(i8042.I8042_CMD_SELF_TEST);
  assert.equal(receive(), i8042.I8042_SELF_TEST_PASSED);
  command(i8042.I8042_CMD_KBD_TEST);
  assert.equal(receive(), i8042.I8042_KBD_TEST_PASSED);
  command(i8042.I8042_CMD_READ_RAM);
  const ctr = receive();
  command(i8042.I8042_CMD_WRITE_RAM);
  send(ctr & ~i8042.I8042_CTR_KBDINT);
  command(i8042.I8042_CMD_READ_RAM);
  assert.equal(receive(), ctr & ~i8042.I8042_CTR_KBDINT);
  assert.equal(status() & i8042.I8042_STR_OBF, 0);
});

test("Linux's i8042_check_aux finds no auxiliary port, at once", () => {
  const { command, send, status, receive } = makeController();
  const AUX_DATA = 0x20;
  command(i8042.I8042_CMD_WRITE_AUX_BUFFER);
  send(0x5a);
  assert.equal(status() & (i8042.I8042_STR_OBF | AUX_DATA), i8042.I8042_STR_OBF);
  receive();
  command(i8042.I8042_CMD_AUX_TEST);
  assert.notEqual(receive(), 0);
});

test('a command to the missing keyboard is answered by the controller, with IRQ 1 and the time-out flag', () => {
  const { send, status, line, receive } = makeController();
  send(0xf2);
  assert.equal(line.level, true);
  assert.equal(status() & i8042.I8042_STR_TIMEOUT, i8042.I8042_STR_TIMEOUT);
  assert.equal(receive(), i8042.I8042_RESEND);
  assert.equal(line.level, false);
  assert.equal(status() & (i8042.I8042_STR_TIMEOUT | i8042.I8042_STR_OBF), 0);
});

test('the interrupt is gated by the command byte', () => {
  const { command, send, line } = makeController();
  send(0xf2);
  assert.equal(line.level, true);
  command(i8042.I8042_CMD_WRITE_RAM);
  send(0);
  assert.equal(line.level, false);
});

test('a saved controller resumes in the middle of a command', () => {
  const { device, command } = makeController();
  command(i8042.I8042_CMD_WRITE_RAM + 5);
  const state: I8042State = JSON.parse(JSON.stringify(device.save()));
  const restored = makeController();
  restored.device.restore(state);
  assert.deepEqual(restored.device.save(), state);
  restored.send(0x77);
  restored.command(i8042.I8042_CMD_READ_RAM + 5);
  assert.equal(restored.receive(), 0x77);
  restored.device.reset();
  assert.deepEqual(restored.device.save(), makeController().device.save());
});

test('a hostile state is refused', () => {
  const { device } = makeController();
  const hostile = [
    { version: 9 },
    { ram: [] },
    { ram: new Array(32).fill(300) },
    { output: 256 },
    { pendingCommand: 0xfe },
    { timeout: 1 },
  ];
  for (const change of hostile) {
    const state = { ...device.save(), ...change } as unknown as I8042State;
    assert.throws(() => device.restore(state), SavedStateError);
  }
});

test('fuzz: no access throws or answers more than its size, and every state it reaches restores', () => {
  fuzzDevice({
    lengthBytes: 2,
    make: () => {
      const { device } = makeController();
      const port = (offset: number) => (offset === 0 ? device.data : device.command);
      return {
        device: {
          name: 'both ports',
          read: (offset) => port(offset).read(0, 1),
          write: (offset, _size, value) => port(offset).write(0, 1, value & 0xff),
        },
        host: () => device.restore(device.save()),
      };
    },
  });
});
