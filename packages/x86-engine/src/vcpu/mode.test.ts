import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CPU_STATE_SPAN_BYTES, offsetOf } from '../cpu-state.ts';
import { RFLAGS } from '../system/processor.ts';
import { machine } from '../testing/test-processor.ts';
import { applySegments } from './mode.ts';

describe("the x87's environment has real-address mode's format", () => {
  const usesRealFormat = ({ processor }: ReturnType<typeof machine>): boolean => {
    const state = new DataView(new ArrayBuffer(CPU_STATE_SPAN_BYTES));
    state.setUint32(offsetOf('x87RealFormat'), 2, true);
    applySegments(state, processor);
    return state.getUint32(offsetOf('x87RealFormat'), true) === 1;
  };

  test('in real-address mode and in virtual-8086 mode', () => {
    assert.equal(usesRealFormat(machine('real')), true);
    const virtual = machine('protected', 3);
    virtual.general.rflags |= RFLAGS.VM;
    assert.equal(usesRealFormat(virtual), true);
  });

  test('neither in protected mode nor in 64-bit mode', () => {
    assert.equal(usesRealFormat(machine('protected')), false);
    assert.equal(usesRealFormat(machine('long')), false);
  });
});
