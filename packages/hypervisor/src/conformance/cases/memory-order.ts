/**
 * Litmus tests of memory ordering: outcomes that the processor forbids are never seen, in many rounds (Intel SDM Vol. 3A
 * §8.2.3 "Examples Illustrating the Memory-Ordering Principles").
 */
import assert from 'node:assert/strict';
import { type Assembler, dword, eax, ebx, esi, rsi } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { SPARE } from '../guest-layout.ts';
import type { Machine } from '../machine.ts';
import { type Body, barrier, NEEDS_THREADS, parallelGuest, runParallel } from './parallel-guest.ts';

/** Each round has locations of its own: vCPUs meet only now and then, and race in between. */
const ROUNDS = 8192;
const ROUNDS_TOGETHER = 512;
const ARRAY_BYTES = ROUNDS * 4;
const [X, Y] = [SPARE, SPARE + ARRAY_BYTES];
/** What was read, one more than it, so that 0 says that nothing was. */
const READ = SPARE + 2 * ARRAY_BYTES;

/** Reads and writes of one vCPU in a round: `read(n)` is the n-th value of the outcome. */
interface Memory {
  write(location: number, value?: number): void;
  read(location: number, result: number): void;
  fence(): void;
  lockedFence(): void;
}

type Step = (m: Memory) => void;

interface Litmus {
  readonly name: string;
  readonly vcpus: readonly Step[];
  readonly results: number;
  /** Whether an outcome is one that cannot be. */
  readonly forbidden?: (...read: readonly number[]) => boolean;
}

const LITMUS_TESTS: readonly Litmus[] = [
  {
    name: 'stores are seen in order (MP)',
    vcpus: [(m) => [m.write(X), m.write(Y)], (m) => [m.read(Y, 0), m.read(X, 1)]],
    results: 2,
    forbidden: (y, x) => y === 1 && x === 0,
  },
  {
    name: 'stores do not pass earlier loads (LB)',
    vcpus: [(m) => [m.read(X, 0), m.write(Y)], (m) => [m.read(Y, 1), m.write(X)]],
    results: 2,
    forbidden: (x, y) => x === 1 && y === 1,
  },
  {
    name: 'loads pass earlier stores to other locations, and see old or new values (SB)',
    vcpus: [(m) => [m.write(X), m.read(Y, 0)], (m) => [m.write(Y), m.read(X, 1)]],
    results: 2,
  },
  {
    name: 'loads do not pass earlier stores across MFENCE (SB)',
    vcpus: [(m) => [m.write(X), m.fence(), m.read(Y, 0)], (m) => [m.write(Y), m.fence(), m.read(X, 1)]],
    results: 2,
    forbidden: (y, x) => y === 0 && x === 0,
  },
  {
    name: 'loads do not pass earlier stores across a locked instruction (SB)',
    vcpus: [
      (m) => [m.write(X), m.lockedFence(), m.read(Y, 0)],
      (m) => [m.write(Y), m.lockedFence(), m.read(X, 1)],
    ],
    results: 2,
    forbidden: (y, x) => y === 0 && x === 0,
  },
  {
    name: 'a vCPU sees its own stores at once',
    vcpus: [(m) => [m.write(X), m.read(X, 0), m.read(Y, 1)], (m) => [m.write(Y), m.read(Y, 2), m.read(X, 3)]],
    results: 4,
    forbidden: (ownX, _y, ownY) => ownX === 0 || ownY === 0,
  },
  {
    name: 'one location is seen to change in one order',
    vcpus: [(m) => [m.write(X, 1), m.write(X, 2)], (m) => [m.read(X, 0), m.read(X, 1)]],
    results: 2,
    forbidden: (first, second) => first! > second!,
  },
  {
    name: 'two observers see independent stores in the same order (IRIW)',
    vcpus: [
      (m) => m.write(X),
      (m) => m.write(Y),
      (m) => [m.read(X, 0), m.read(Y, 1)],
      (m) => [m.read(Y, 2), m.read(X, 3)],
    ],
    results: 4,
    forbidden: (x0, y0, y1, x1) => x0 === 1 && y0 === 0 && y1 === 1 && x1 === 0,
  },
  {
    name: 'stores that were seen are seen by all (WRC)',
    vcpus: [(m) => m.write(X), (m) => [m.read(X, 0), m.write(Y)], (m) => [m.read(Y, 1), m.read(X, 2)]],
    results: 3,
    forbidden: (x, y, later) => x === 1 && y === 1 && later === 0,
  },
];

/** RSI is the round's offset in every array. Loads come together; what they read is stored after the last. */
function stepCode(a: Assembler, step: Step, id: number): void {
  const scratch = 0x6f00 + id * 0x40;
  const registers = [eax, ebx];
  const reads: [register: typeof eax, result: number][] = [];
  step({
    write: (location, value = 1) => a.mov(dword(rsi, location), value),
    read(location, result) {
      const register = registers[reads.length]!;
      reads.push([register, result]);
      a.mov(register, dword(rsi, location));
    },
    fence: () => a.mfence(),
    lockedFence: () => [a.lock(), a.inc(dword(scratch))],
  });
  for (const [register, result] of reads) {
    a.inc(register);
    a.mov(dword(rsi, READ + result * ARRAY_BYTES), register);
  }
}

function bodyOf(step: Step, count: number): Body {
  return (a, id) => {
    a.mov(esi, 0);
    a.label(`rounds ${id}`);
    barrier(a, count);
    a.label(`round ${id}`);
    stepCode(a, step, id);
    a.add(esi, 4);
    a.test(esi, ROUNDS_TOGETHER * 4 - 1);
    a.jcc('ne', `round ${id}`);
    a.cmp(esi, ARRAY_BYTES);
    a.jcc('ne', `rounds ${id}`);
  };
}

/** How often each outcome was seen. */
function countOutcomes(machine: Machine, { results }: Litmus): Map<string, number> {
  const counts = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    const at = (result: number) => READ + result * ARRAY_BYTES + round * 4;
    const outcome = Array.from({ length: results }, (_, i) => machine.memory.readU32(at(i)) - 1).join(' ');
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  return counts;
}

export const memoryOrderCases = LITMUS_TESTS.map((litmus): ConformanceCase => {
  return {
    name: `litmus: ${litmus.name}`,
    needs: NEEDS_THREADS,
    async run(t) {
      const count = litmus.vcpus.length;
      const machine = t.machine(parallelGuest(litmus.vcpus.map((step) => bodyOf(step, count))));
      await runParallel(t, machine, count);
      const outcomes = countOutcomes(machine, litmus);
      t.note([...outcomes].map(([outcome, times]) => `${outcome}: ${times}`).join(', '));
      for (const outcome of outcomes.keys()) {
        const read = outcome.split(' ').map(Number);
        assert.ok(
          read.every((value) => value >= 0 && value <= 2),
          `${outcome} was never written`,
        );
        assert.ok(!litmus.forbidden?.(...read), `${outcome} is forbidden`);
      }
    },
  };
});
