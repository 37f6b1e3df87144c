import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { DIRTY_PAGES } from '../memory-map.ts';
import { PageStates } from './page-states.ts';

const PAGE = 0x31000000;
const PAGES = 2 ** 20;

describe('the states of pages', () => {
  let states: PageStates;

  beforeEach(() => {
    states = new PageStates(new SharedArrayBuffer(DIRTY_PAGES + PAGES));
  });

  test('a page that nobody writes is code at once, one that TLBs let be written has to settle', () => {
    assert.equal(states.markCode(PAGE), false);
    assert.equal(states.markWritable(PAGE + 0x1000), false);
    assert.equal(states.markCode(PAGE + 0x1000), true);
  });

  test('until it is settled every decoder has to empty TLBs', () => {
    states.markWritable(PAGE);
    const version = states.version(PAGE);
    assert.equal(states.markCode(PAGE), true);
    assert.equal(states.markCode(PAGE), true, 'another vCPU, while the first waits');
    states.settled(PAGE, version);
    assert.equal(states.markCode(PAGE), false);
  });

  test('a write to code makes another version, which is no code, once', () => {
    states.markCode(PAGE);
    const version = states.version(PAGE);
    assert.equal(states.markWritable(PAGE), true);
    assert.equal(states.version(PAGE), version + 1);
    assert.equal(states.markWritable(PAGE), false, 'it is no code any more');
    assert.equal(states.version(PAGE), version + 1);
  });

  test('who waited for an older version does not settle a newer one', () => {
    states.markWritable(PAGE);
    const version = states.version(PAGE);
    states.markCode(PAGE);
    states.markWritable(PAGE); // while the first decoder waits
    assert.equal(states.markCode(PAGE), true);
    states.settled(PAGE, version);
    assert.equal(states.markCode(PAGE), true);
    states.settled(PAGE, version + 1);
    assert.equal(states.markCode(PAGE), false);
  });
});
