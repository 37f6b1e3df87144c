import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measure } from '../alternate.ts';
import type { CpuProgram } from './programs.ts';
import { cpuScenario } from './scenario.ts';
import { type CpuSubject, NATIVE } from './subjects.ts';

const PROGRAM: CpuProgram = { name: 'lz', title: 'compression', iterations: 200 };
const OPTIONS = { guestCpus: 3, scalePercent: 50 };
const MEASURE = { only: [], pairs: 2, say: () => {} };

interface Call {
  readonly iterations: number;
  readonly threads: number;
}

function subject(name: string, nanoseconds: number, checksum = 'a', calls: Call[] = []): CpuSubject {
  return {
    name,
    async open() {},
    async run(_program, iterations, threads) {
      calls.push({ iterations, threads });
      return { iterations, nanoseconds, checksum };
    },
    async close() {},
  };
}

test('times, scaled iterations, and what all are compared with', async () => {
  const calls: Call[] = [];
  const subjects = [subject('Vireo', 4e6, 'a', calls), subject('TCG', 2e6), subject(NATIVE, 1e6)];
  const scenario = cpuScenario({ program: PROGRAM, subjects, instructions: undefined, options: OPTIONS });
  const { measurements } = await measure([scenario], MEASURE);
  assert.deepEqual(Object.fromEntries(measurements[0]!.samples), {
    Vireo: [4, 4],
    TCG: [2, 2],
    [NATIVE]: [1, 1],
  });
  assert.deepEqual(measurements[0]!.references, ['TCG', NATIVE]);
  assert.deepEqual(calls[0], { iterations: 100, threads: 1 });
});

test('counted instructions make a rate, and parallel programs run on all vCPUs', async () => {
  const calls: Call[] = [];
  const subjects = [subject('Vireo', 2e6, 'a', calls), subject(NATIVE, 1e6)];
  const program = { ...PROGRAM, isParallel: true } as const;
  const scenario = cpuScenario({ program, subjects, instructions: 5000, options: OPTIONS });
  const { measurements } = await measure([scenario], MEASURE);
  // 100 iterations of 5000 instructions in 2 ms.
  assert.deepEqual(measurements[1]!.samples.get('Vireo'), [250, 250]);
  assert.equal(measurements[1]!.unit, 'M/s');
  assert.equal(calls[0]?.threads, 3);
});

test('a wrong checksum fails at once, however fast it was', async () => {
  const calls: Call[] = [];
  const subjects = [subject('Vireo', 1, 'b', calls), subject(NATIVE, 1e6)];
  const scenario = cpuScenario({ program: PROGRAM, subjects, instructions: undefined, options: OPTIONS });
  await assert.rejects(measure([scenario], MEASURE), {
    code: 'bench-wrong-result',
    message: /Vireo: lz computed b/,
  });
  assert.equal(calls.length, 1);
});
