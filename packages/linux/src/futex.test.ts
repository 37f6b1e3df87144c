import assert from 'node:assert/strict';
import { test } from 'node:test';
import { futexWait, futexWake, Mapping } from './index.ts';
import { repeatUntil, startTask } from './test-support.ts';

test('does not sleep when the word is not as expected', () => {
  using mapping = Mapping.map({ lengthBytes: 4096 });
  const word = new Int32Array(mapping.buffer, 0, 1);
  word[0] = -5;
  assert.equal(futexWait(word, 1, 10_000), 'changed');
  assert.equal(futexWait(mapping.hva, 0, 10_000), 'changed');
  assert.equal(futexWait(mapping.hva, -5, 0), 'timed-out');
});

test('sleeps for as long as it was told and not much longer', () => {
  using mapping = Mapping.map({ lengthBytes: 4096 });
  const started = performance.now();
  assert.equal(futexWait(mapping.hva, 0, 1030.5), 'timed-out');
  const slept = performance.now() - started;
  assert.ok(slept >= 1030 && slept < 5000, `${slept} ms`);
});

test('wakes a thread that sleeps on the same word', async () => {
  using mapping = Mapping.map({ lengthBytes: 4096 });
  const task = await startTask({ kind: 'futex', hva: mapping.hva, timeoutMs: 10_000 });
  let woken = 0;
  const result = await repeatUntil(task.result, 5000, () => {
    woken += futexWake(mapping.hva, 1);
  });
  assert.equal(result, 'woken');
  assert.equal(woken, 1);
});

test('a word that is not aligned is refused', () => {
  using mapping = Mapping.map({ lengthBytes: 4096 });
  assert.throws(() => futexWait(mapping.hva + 1, 0, 10), { code: 'EINVAL', call: 'futex' });
  assert.throws(() => futexWake(1, 1), { name: 'HostError' });
});
