import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { withLock } from './lock-file.ts';
import { endHolder, startHolder } from './testing/holder.ts';

const directory = mkdtempSync(join(tmpdir(), 'vireo-test-'));
const path = join(directory, 'some.lock');
after(() => rmSync(directory, { recursive: true }));

test('only one at a time, also within a process', async () => {
  let inside = 0;
  const body = async () => {
    inside += 1;
    assert.equal(inside, 1);
    await sleep(20);
    inside -= 1;
  };
  await Promise.all([withLock(path, body), withLock(path, body), withLock(path, body)]);
  assert.deepEqual(readdirSync(directory), []);
});

test('another process is waited for', async () => {
  const holder = await startHolder('lock', path);
  const order: string[] = [];
  const locked = withLock(
    path,
    async () => order.push('locked'),
    () => order.push('waiting'),
  );
  await sleep(150);
  assert.deepEqual(order, ['waiting']);
  await endHolder(holder, 'SIGTERM');
  await locked;
  assert.deepEqual(order, ['waiting', 'locked']);
});

test('the lock of a process that was killed is taken over', async () => {
  await endHolder(await startHolder('lock', path), 'SIGKILL');
  assert.deepEqual(readdirSync(directory), ['some.lock']);
  assert.equal(await withLock(path, async () => 'mine'), 'mine');
  assert.deepEqual(readdirSync(directory), []);
});

test('a body that throws gives the lock back', async () => {
  await assert.rejects(
    withLock(path, () => Promise.reject(new Error('no'))),
    /no/,
  );
  assert.deepEqual(readdirSync(directory), []);
});
