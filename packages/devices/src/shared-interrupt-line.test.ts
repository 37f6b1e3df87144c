import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedLock } from '@vireo/guest-memory/shared-lock';
import { SharedInterruptLine } from './shared-interrupt-line.ts';

const LOCK = 0;
const LINE = 1;

/**
 * Two threads' objects over one line. `during` plays the second thread: it runs while the first is inside `set`,
 * wherever the lock lets it.
 */
function makeLine(during: (second: (level: boolean) => void, call: number) => void) {
  const words = new Int32Array(new SharedArrayBuffer(64));
  const lock = new SharedLock(words, LOCK);
  const calls: boolean[] = [];
  const change = (object: SharedInterruptLine, level: boolean) => {
    lock.acquire();
    const drives = object.note(level);
    lock.release();
    if (drives) object.drive();
  };
  const second = new SharedInterruptLine(lock, words, LINE, {
    set: () => assert.fail('two threads drive the line at once'),
  });
  const first = new SharedInterruptLine(lock, words, LINE, {
    set: (level) => {
      calls.push(level);
      if (words[LOCK] === 0) during((wanted) => change(second, wanted), calls.length);
    },
  });
  return { first: (level: boolean) => change(first, level), calls, words };
}

test('a level that does not change is not driven', () => {
  const { first, calls } = makeLine(() => {});
  for (const level of [false, true, true, false, false]) first(level);
  assert.deepEqual(calls, [true, false]);
});

test('what another thread changes while the line is driven is driven after it, by the same thread', () => {
  const { first, calls } = makeLine((second, call) => call === 1 && second(false));
  first(true);
  assert.deepEqual(calls, [true, false]);
});

test('a level that goes and comes back while the line is driven is shown as a pulse', () => {
  const { first, calls } = makeLine((second, call) => {
    if (call !== 1) return;
    second(false);
    second(true);
  });
  first(true);
  assert.deepEqual(calls, [true, false, true]);
});

test('changes without end do not keep the driving thread', () => {
  let level = true;
  const { first, calls, words } = makeLine((second) => {
    level = !level;
    second(level);
  });
  first(true);
  assert.ok(calls.length < 10, `${calls.length} calls`);
  assert.equal(calls.at(-1), level, 'and the last level is shown');
  assert.equal(words[LOCK], 0);
});

test('a line that throws does not leave the lock held', () => {
  const words = new Int32Array(new SharedArrayBuffer(64));
  const lock = new SharedLock(words, LOCK);
  const line = new SharedInterruptLine(lock, words, LINE, {
    set: () => {
      throw new Error('the host refuses');
    },
  });
  lock.acquire();
  line.note(true);
  lock.release();
  assert.throws(() => line.drive(), /refuses/);
  assert.equal(words[LOCK], 0);
});
