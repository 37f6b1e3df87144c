import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CPU_STATE_SPAN_BYTES, CPU_STATE_STRIDE_BYTES, offsetOf } from './cpu-state.ts';
import { EXTENDED_STATE_BYTES, restoreExtendedState, saveExtendedState } from './extended-state.ts';

const STATE = CPU_STATE_STRIDE_BYTES;
const XSTATE_BV = 512;

const emptyMemory = () => new DataView(new ArrayBuffer(2 * STATE + CPU_STATE_SPAN_BYTES));

/** Every byte of the registers is another one; the top is R5. */
function filledMemory(): DataView {
  const memory = emptyMemory();
  const set = (name: Parameters<typeof offsetOf>[0], value: number) =>
    memory.setUint32(STATE + offsetOf(name), value, true);
  set('x87Control', 0x0c7f);
  set('x87Status', 0x2d21);
  set('x87Tags', 0x9f);
  set('x87Opcode', 0x5c1);
  set('mxcsr', 0x5f81);
  memory.setBigUint64(STATE + offsetOf('x87Instruction'), 0xffff_8123_4567_89abn, true);
  memory.setBigUint64(STATE + offsetOf('x87Data'), 0xffff_9abc_def0_1234n, true);
  memory.setBigUint64(STATE + offsetOf('xcr0'), 3n, true);
  for (let register = 0; register < 8; register++)
    for (let at = 0; at < 10; at++)
      memory.setUint8(STATE + offsetOf('x87') + register * 16 + at, register * 16 + at);
  for (let number = 0; number < 16; number++)
    for (let at = 0; at < 16; at++)
      memory.setUint8(STATE + offsetOf('xmm') + number * 32 + at, 255 - number * 16 - at);
  return memory;
}

test('the area has ST(0) first, whichever register that is', () => {
  const { area } = saveExtendedState(filledMemory(), STATE);
  assert.equal(area.length, EXTENDED_STATE_BYTES);
  assert.deepEqual([...area.subarray(32, 48)], [80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 0, 0, 0, 0, 0, 0]);
  assert.equal(area[32 + 3 * 16], 0, 'ST(3) is R0');
  assert.equal(area[4], 0x9f);
  assert.deepEqual([...area.subarray(160 + 15 * 16, 160 + 15 * 16 + 2)], [15, 14]);
});

test('what was saved comes back, in another block too', () => {
  const memory = filledMemory();
  const saved = saveExtendedState(memory, STATE);
  restoreExtendedState(memory, 2 * STATE, saved);
  assert.deepEqual(saveExtendedState(memory, 2 * STATE), saved);
});

test('state components that the area has not become initial', () => {
  const memory = filledMemory();
  const saved = saveExtendedState(memory, STATE);
  new DataView(saved.area.buffer).setBigUint64(XSTATE_BV, 0n, true);
  restoreExtendedState(memory, STATE, saved);
  const { area } = saveExtendedState(memory, STATE);
  const view = new DataView(area.buffer);
  assert.deepEqual([view.getUint16(0, true), view.getUint16(2, true), area[4]], [0x37f, 0, 0]);
  assert.equal(view.getUint32(24, true), 0x1f80);
  assert.ok(area.subarray(32, 416).every((byte) => byte === 0));
});

test('an exception is pending if its flag is set and its mask is not, whatever ES says', () => {
  const memory = filledMemory();
  const saved = saveExtendedState(memory, STATE);
  const view = new DataView(saved.area.buffer);
  view.setUint16(0, 0x37e, true);
  restoreExtendedState(memory, STATE, saved);
  assert.equal(memory.getUint32(STATE + offsetOf('x87Status'), true), 0xada1);
  view.setUint16(0, 0x37f, true);
  view.setUint16(2, 0x8081, true);
  restoreExtendedState(memory, STATE, saved);
  assert.equal(memory.getUint32(STATE + offsetOf('x87Status'), true), 1);
});

test('an area that this processor cannot take is refused, and nothing changes', () => {
  const memory = filledMemory();
  const before = memory.buffer.slice(0);
  const saved = saveExtendedState(memory, STATE);
  const withChange = (change: (view: DataView) => void) => {
    const area = saved.area.slice();
    change(new DataView(area.buffer));
    return { xcr0: 0x1fn, area };
  };
  const refused = [
    [/576 bytes/, { xcr0: 3n, area: saved.area.subarray(0, 512) }],
    [/components 0x4 /, withChange((view) => view.setBigUint64(XSTATE_BV, 7n, true))],
    [/standard format/, withChange((view) => view.setBigUint64(520, (1n << 63n) | 3n, true))],
    [/MXCSR 0x21f80/, withChange((view) => view.setUint32(24, 0x2_1f80, true))],
  ] as const;
  for (const [message, state] of refused)
    assert.throws(() => restoreExtendedState(memory, STATE, state), message);
  assert.deepEqual(memory.buffer, before);
});
