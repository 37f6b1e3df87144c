import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { MemoryUnitMachine } from '../testing/memory-unit-machine.ts';
import type { PageStates } from './page-states.ts';

const GPA = 0x3000n;
const NEXT_GPA = 0x4000n;

describe('the states of pages', () => {
  let machine: MemoryUnitMachine;
  let states: PageStates;
  let page: number;

  beforeEach(() => {
    machine = new MemoryUnitMachine();
    states = machine.physical.states;
    page = machine.addressOf(GPA);
  });

  /** As before a write. @returns whether all vCPUs were told to forget code */
  function markWritable(gpa = GPA): boolean {
    let isTold = false;
    machine.onCodeWritten = () => {
      isTold = true;
    };
    assert.equal(machine.unit.writableAddressOf(gpa) >>> 0, machine.addressOf(gpa));
    return isTold;
  }

  test('a page that nobody writes is code at once, one that TLBs let be written has to settle', () => {
    assert.equal(states.markCode(page), false);
    assert.equal(markWritable(NEXT_GPA), false);
    assert.equal(states.markCode(machine.addressOf(NEXT_GPA)), true);
  });

  test('until it is settled every decoder has to empty TLBs', () => {
    markWritable();
    const version = states.version(page);
    assert.equal(states.markCode(page), true);
    assert.equal(states.markCode(page), true, 'another vCPU, while the first waits');
    states.settled(page, version);
    assert.equal(states.markCode(page), false);
  });

  test('a write to code makes another version, which is no code, once', () => {
    states.markCode(page);
    const version = states.version(page);
    assert.equal(markWritable(), true);
    assert.equal(states.version(page), version + 1);
    assert.equal(markWritable(), false, 'it is no code any more');
    assert.equal(states.version(page), version + 1);
  });

  test('who waited for an older version does not settle a newer one', () => {
    markWritable();
    const version = states.version(page);
    states.markCode(page);
    markWritable(); // while the first decoder waits
    assert.equal(states.markCode(page), true);
    states.settled(page, version);
    assert.equal(states.markCode(page), true);
    states.settled(page, version + 1);
    assert.equal(states.markCode(page), false);
  });
});
