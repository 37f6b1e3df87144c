import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '@vireo/errors';
import { measure, type Scenario, type Subject, WRONG_RESULT } from './alternate.ts';

const SUBJECTS: readonly Subject[] = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
const quiet = { only: [], say: () => {} };

function scenario(name: string, run: (subject: Subject) => Promise<readonly number[]>): Scenario<Subject> {
  return { name, run, subjects: SUBJECTS, references: ['b'], quantities: [{ name: 'time', unit: 'ms' }] };
}

test('one uncounted run of each, then rounds that each begin with the next subject', async () => {
  const order: string[] = [];
  const run = async ({ name }: Subject) => [order.push(name)];
  const { measurements, mishaps } = await measure([scenario('s', run)], { ...quiet, pairs: 3 });
  assert.equal(order.join(''), 'abc bca cab abc'.replaceAll(' ', ''));
  const samples = Object.fromEntries(measurements[0]!.samples);
  assert.deepEqual(samples, { a: [6, 8, 10], b: [4, 9, 11], c: [5, 7, 12] });
  assert.deepEqual(mishaps, []);
});

test('only the scenarios that were chosen', async () => {
  const ran: string[] = [];
  const scenarios = ['x', 'y', 'z'].map((name) => scenario(name, async () => [ran.push(name)]));
  const { measurements } = await measure(scenarios, { ...quiet, only: ['y'], pairs: 1 });
  assert.deepEqual([...new Set(ran)], ['y']);
  assert.equal(measurements.length, 1);
});

test('a run that fails is repeated, and told of', async () => {
  let runs = 0;
  const run = async () => {
    if (++runs === 5) throw new UserError('bench-vm-failed', 'it ended (SIGSEGV)');
    return [1];
  };
  const { measurements, mishaps } = await measure([scenario('s', run)], { ...quiet, pairs: 1 });
  assert.deepEqual(mishaps, ['Repeated: s, 1 of 1: it ended (SIGSEGV)']);
  assert.equal(measurements[0]?.samples.get('c')?.length, 1);
});

test('one that always fails ends it, and so does a bug at once', async () => {
  let runs = 0;
  const failing = async () => {
    runs++;
    throw new UserError('bench-vm-failed', 'no');
  };
  await assert.rejects(measure([scenario('s', failing)], { ...quiet, pairs: 1 }), {
    code: 'bench-vm-failed',
  });
  assert.equal(runs, 3);
  const broken = async () => {
    runs++;
    throw new TypeError('a bug');
  };
  await assert.rejects(measure([scenario('s', broken)], { ...quiet, pairs: 1 }), TypeError);
  assert.equal(runs, 4);
});

test('a wrong result is not repeated until it is right', async () => {
  let runs = 0;
  const run = async () => {
    if (++runs === 2) throw new UserError(WRONG_RESULT, 'it computed 5');
    return [1];
  };
  await assert.rejects(measure([scenario('s', run)], { ...quiet, pairs: 1 }), { code: WRONG_RESULT });
  assert.equal(runs, 2);
});
