import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRunResult, requireHostTime, requireRunResult, requireSameResult } from './run-result.ts';

const WRONG = { name: 'UserError', code: 'bench-wrong-result' };
const RESULT = { iterations: 300, nanoseconds: 2_500_000_000, checksum: '00c0ffee00c0ffee' };

test("a program's line is found among what a kernel says on the same console", () => {
  const output = 'sha256 begins\r\n[    5.1] rcu: INFO\r\nsha256 300 000002500000000 00c0ffee00c0ffee\r\n';
  assert.deepEqual(parseRunResult('sha256', output), RESULT);
  assert.deepEqual(requireRunResult('here', 'sha256', 0, output), RESULT);
});

test('other programs, torn lines and checksums of another length are no result', () => {
  for (const output of [
    'lz 300 000002500000000 00c0ffee00c0ffee\n',
    'sha256 300 000002500000000 00c0ffee00c0ff\n',
    'sha256 300 000002500000000 00c0ffee00c0ffee1\n',
    'sha256 300 00c0ffee00c0ffee\n',
    'x sha256 300 000002500000000 00c0ffee00c0ffee\n',
    '',
  ])
    assert.equal(parseRunResult('sha256', output), undefined, output);
});

test('a status other than 0 counts more than a result', () => {
  const output = 'sha256 300 000002500000000 00c0ffee00c0ffee\n';
  assert.throws(() => requireRunResult('here', 'sha256', 139, output), WRONG);
  assert.throws(() => requireRunResult('here', 'sha256', 0, 'failed: fork\n'), /failed: fork/);
});

test('another checksum or number of iterations is refused, another time is not', () => {
  requireSameResult('there', 'lz', { ...RESULT, nanoseconds: 1 }, RESULT);
  assert.throws(
    () => requireSameResult('there', 'lz', { ...RESULT, checksum: '0'.repeat(16) }, RESULT),
    WRONG,
  );
  assert.throws(() => requireSameResult('there', 'lz', { ...RESULT, iterations: 1 }, RESULT), WRONG);
});

test("a guest whose clock is not the host's is refused", () => {
  for (const hostMs of [2400, 2500, 2700]) requireHostTime('there', 'lz', RESULT, hostMs);
  for (const hostMs of [1200, 3000, 25_000])
    assert.throws(() => requireHostTime('there', 'lz', RESULT, hostMs), WRONG);
});
