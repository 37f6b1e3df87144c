/** Locked instructions from four vCPUs at once, whose sums must be exact (Intel SDM Vol. 3A §8.1 "Locked Atomic Operations"). */
import assert from 'node:assert/strict';
import {
  type Assembler,
  at,
  byte,
  dword,
  eax,
  ebx,
  ecx,
  edx,
  qword,
  rax,
  rbx,
  rcx,
  rdi,
  rdx,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { DATA, SPARE } from '../guest-layout.ts';
import type { Machine } from '../machine.ts';
import type { Feature } from '../subject.ts';
import { type Body, NEEDS_THREADS, parallelGuest, runParallel } from './parallel-guest.ts';

const VCPUS = 4;
/** Sums of what each vCPU saw, 8 bytes each. */
const SEEN = DATA + 0x8000;

/** Where the counter lies: how far it is from a page's start. */
const PLACES = [
  { where: 'aligned', offset: 0x40, rounds: 10_000 },
  { where: 'unaligned', offset: 0x45, rounds: 3000 },
  { where: 'across two cache lines', offset: 0x7d, rounds: 1000 },
  { where: 'across two pages', offset: 0xffd, rounds: 1000 },
] as const;

interface Counter {
  readonly name: string;
  readonly needs?: readonly Feature[];
  /** Adds 1 to the counter at RDI; may change all registers but RCX. */
  readonly add: (a: Assembler) => void;
  readonly check?: (machine: Machine, total: number) => void;
}

function compareAndExchange(a: Assembler): void {
  const again = `again at ${a.here}`;
  a.mov(eax, dword(rdi));
  a.label(again);
  a.mov(edx, eax);
  a.inc(edx);
  a.lock();
  a.cmpxchg(dword(rdi), edx);
  a.jcc('ne', again);
}

const COUNTERS: readonly Counter[] = [
  { name: 'LOCK INC', add: (a) => [a.lock(), a.inc(dword(rdi))] },
  { name: 'LOCK ADD of 64 bits', add: (a) => [a.lock(), a.add(qword(rdi), 1)] },
  { name: 'LOCK SUB of −1', add: (a) => [a.lock(), a.sub(dword(rdi), -1)] },
  { name: 'LOCK CMPXCHG', add: compareAndExchange },
  {
    name: 'LOCK XADD, each number seen once,',
    add: (a) => [a.mov(eax, 1), a.lock(), a.xadd(dword(rdi), eax), a.add(rbx, rax)],
    check(machine, total) {
      const seen = [0, 1, 2, 3].map((id) => Number(machine.memory.readU64(SEEN + id * 8)));
      assert.equal(
        seen.reduce((sum, it) => sum + it),
        (total * (total - 1)) / 2,
      );
    },
  },
];

/** Runs `work` so many times, then leaves RBX among the sums. */
function repeated(rounds: number, address: number, work: (a: Assembler) => void): Body {
  return (a, id) => {
    a.mov(ebx, 0);
    a.mov(ecx, rounds);
    a.mov(rdi, address);
    a.label(`round ${id}`);
    work(a);
    a.dec(ecx);
    a.jcc('ne', `round ${id}`);
    a.mov(qword(SEEN + id * 8), rbx);
  };
}

function onAll(body: Body): Body[] {
  return Array.from({ length: VCPUS }, () => body);
}

const counters = COUNTERS.flatMap(({ name, add, check }) =>
  PLACES.map(({ where, offset, rounds }): ConformanceCase => {
    return {
      name: `${name} by four vCPUs, ${where}, loses nothing`,
      needs: NEEDS_THREADS,
      async run(t) {
        const machine = t.machine(parallelGuest(onAll(repeated(rounds, DATA + offset, add))));
        await runParallel(t, machine, VCPUS);
        assert.equal(machine.memory.readU32(DATA + offset), VCPUS * rounds);
        check?.(machine, VCPUS * rounds);
      },
    };
  }),
);

/** Both halves count, the upper one downwards: a torn access would show in either. */
function countBothHalves(a: Assembler): void {
  const again = `again at ${a.here}`;
  a.push(rcx);
  a.mov(rax, qword(rdi));
  a.mov(rdx, qword(rdi, 8));
  a.label(again);
  a.mov(rbx, rax);
  a.inc(rbx);
  a.mov(rcx, rdx);
  a.dec(rcx);
  a.lock();
  a.cmpxchg16b(at(rdi));
  a.jcc('ne', again);
  a.pop(rcx);
}

const sixteenBytes: ConformanceCase = {
  name: 'LOCK CMPXCHG16B by four vCPUs counts up and down in one step',
  needs: [...NEEDS_THREADS, 'cmpxchg16b'],
  async run(t) {
    const rounds = 3000;
    const machine = t.machine(parallelGuest(onAll(repeated(rounds, DATA, countBothHalves))));
    await runParallel(t, machine, VCPUS);
    assert.equal(machine.memory.readU64(DATA), BigInt(VCPUS * rounds));
    assert.equal(BigInt.asIntN(64, machine.memory.readU64(DATA + 8)), BigInt(-VCPUS * rounds));
  },
};

const BITS = 16_384;

/** Takes each bit that nobody else has, upwards; RBX counts them. */
const takeBits: Body = (a, id) => {
  a.mov(ebx, 0);
  a.mov(ecx, 0);
  a.label(`bit ${id}`);
  a.lock();
  a.bts(dword(SPARE), ecx);
  a.setcc('ae', byte(SEEN + 0x100 + id));
  a.movzx(eax, byte(SEEN + 0x100 + id));
  a.add(ebx, eax);
  a.inc(ecx);
  a.cmp(ecx, BITS);
  a.jcc('ne', `bit ${id}`);
  a.mov(qword(SEEN + id * 8), rbx);
};

const bits: ConformanceCase = {
  name: 'LOCK BTS gives each of many bits to one of four vCPUs',
  needs: NEEDS_THREADS,
  async run(t) {
    const machine = t.machine(parallelGuest(onAll(takeBits)));
    await runParallel(t, machine, VCPUS);
    const taken = [0, 1, 2, 3].map((id) => Number(machine.memory.readU64(SEEN + id * 8)));
    assert.equal(
      taken.reduce((sum, it) => sum + it),
      BITS,
    );
    assert.ok(machine.memory.view(SPARE, BITS / 8).every((it) => it === 0xff));
  },
};

const neighbours: ConformanceCase = {
  name: 'plain increments of neighbouring bytes by four vCPUs do not disturb each other',
  needs: NEEDS_THREADS,
  async run(t) {
    const rounds = 10_007;
    const body: Body = (a, id) => repeated(rounds, DATA + id, (it) => it.inc(byte(rdi)))(a, id);
    const machine = t.machine(parallelGuest(onAll(body)));
    await runParallel(t, machine, VCPUS);
    assert.deepEqual([...machine.memory.view(DATA, VCPUS)], Array(VCPUS).fill(rounds & 0xff));
  },
};

export const atomicCases: readonly ConformanceCase[] = [...counters, sixteenBytes, bits, neighbours];
