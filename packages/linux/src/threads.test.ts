import assert from 'node:assert/strict';
import { closeSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  blockSignals,
  EventFd,
  getAffinity,
  getThreadName,
  gettid,
  installWakeHandler,
  maskOf,
  memfdCreate,
  SIGNAL_KICK,
  setAffinity,
  setSignalMask,
  setThreadName,
  tgkill,
  unblockSignals,
} from './index.ts';
import { repeatUntil, startTask } from './test-support.ts';

/** A field of /proc/PID/task/TID/status that holds a set of signals. */
function signalSet(field: string, tid = gettid()): bigint {
  const status = readFileSync(`/proc/self/task/${tid}/status`, 'utf8');
  return BigInt(`0x${new RegExp(`^${field}:\\s+([0-9a-f]+)$`, 'm').exec(status)![1]}`);
}

test('a kick ends a blocking read in another thread with EINTR', async () => {
  installWakeHandler(SIGNAL_KICK);
  using event = new EventFd({ blocking: true });
  const task = await startTask({ kind: 'read', fd: event.fd });
  // The first kick may come before the thread is inside read(2), so it is repeated.
  const result = await repeatUntil(task.result, 5000, () => tgkill(task.tid, SIGNAL_KICK));
  assert.equal(result, -4);
});

test('a kick with no system call to interrupt does nothing', () => {
  installWakeHandler(SIGNAL_KICK);
  for (let kick = 0; kick < 100; kick++) tgkill(gettid(), SIGNAL_KICK);
});

test('a blocked signal waits until it is unblocked', () => {
  installWakeHandler(SIGNAL_KICK);
  const bit = maskOf([SIGNAL_KICK]);
  const before = blockSignals([SIGNAL_KICK]);
  assert.equal(signalSet('SigBlk') & bit, bit);
  tgkill(gettid(), SIGNAL_KICK);
  assert.equal(signalSet('SigPnd') & bit, bit);
  assert.equal(unblockSignals([SIGNAL_KICK]), before | bit);
  assert.equal(signalSet('SigPnd') & bit, 0n);
  assert.equal(setSignalMask(before), before);
});

test('a thread that is gone is ESRCH', () => {
  assert.throws(() => tgkill(0x3fff_ffff, 0), { call: 'tgkill', code: 'ESRCH' });
});

test('a signal that cannot be caught is refused', () => {
  assert.throws(() => installWakeHandler(9), /sigaction signal 9: invalid argument \(EINVAL\)/);
});

test('thread names show in /proc, cut at 15 bytes between characters', async () => {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const task = await startTask({ kind: 'name', name: 'vcpu0', gate });
  const comm = (): string => readFileSync(`/proc/self/task/${task.tid}/comm`, 'utf8').trimEnd();
  const deadline = performance.now() + 5000;
  while (comm() !== 'vcpu0') assert.ok(performance.now() < deadline, `it is named ${comm()}`);
  assert.notEqual(task.tid, gettid());
  Atomics.notify(gate, 0);
  assert.equal(await task.result, 'vcpu0');

  const before = getThreadName();
  setThreadName('fourteen bytes€');
  assert.equal(getThreadName(), 'fourteen bytes');
  setThreadName(before);
});

test('affinity is what was set, and needs a CPU that exists', () => {
  const before = getAffinity();
  setAffinity([before[0]!]);
  assert.deepEqual(getAffinity(), [before[0]]);
  setAffinity(before);
  assert.deepEqual(getAffinity(gettid()), before);
  assert.throws(() => setAffinity([8191]), { call: 'sched_setaffinity', code: 'EINVAL' });
  assert.throws(() => setAffinity([8192]), RangeError);
});

test('several threads can use the package at once', async () => {
  const tasks = await Promise.all([1, 2, 3, 4].map(() => startTask({ kind: 'stress', rounds: 2000 })));
  closeSync(memfdCreate('in the main thread too'));
  assert.deepEqual(await Promise.all(tasks.map((task) => task.result)), [2000, 2000, 2000, 2000]);
});
