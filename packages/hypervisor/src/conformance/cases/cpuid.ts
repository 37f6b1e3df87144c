/** CPUID as the host set it (Intel SDM Vol. 2A "CPUID—CPU Identification"). */
import assert from 'node:assert/strict';
import type { CpuidEntry } from '../../vcpu-state.ts';
import { type Assembler, dword, eax, ebx, ecx, edi, edx, rdi } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done } from '../guest-code.ts';
import { DATA } from '../guest-layout.ts';
import type { Machine } from '../machine.ts';

type Registers = [eax: number, ebx: number, ecx: number, edx: number];

/** Executes CPUID for each leaf and subleaf, and stores the four registers. */
function cpuidProgram(queries: readonly (readonly [leaf: number, subleaf: number])[]) {
  return (a: Assembler): void => {
    a.mov(edi, DATA);
    for (const [leaf, subleaf] of queries) {
      a.mov(eax, leaf);
      a.mov(ecx, subleaf);
      a.cpuid();
      for (const [i, register] of [eax, ebx, ecx, edx].entries()) a.mov(dword(rdi, i * 4), register);
      a.add(rdi, 16);
    }
    done(a);
  };
}

function results(machine: Machine, count: number): Registers[] {
  machine.finish();
  return Array.from({ length: count }, (_, query) => {
    return [0, 1, 2, 3].map((i) => machine.memory.readU32(DATA + query * 16 + i * 4)) as Registers;
  });
}

function entry(leaf: number, subleaf: number | null, [eax, ebx, ecx, edx]: Registers): CpuidEntry {
  return { leaf, subleaf, eax, ebx, ecx, edx };
}

/** Entries with some replaced or added. */
function withEntries(entries: readonly CpuidEntry[], changed: readonly CpuidEntry[]): CpuidEntry[] {
  const leaves = new Set(changed.map(({ leaf }) => leaf));
  return [...entries.filter(({ leaf }) => !leaves.has(leaf)), ...changed];
}

const BRAND = 0x80000002;

const leaves: ConformanceCase = {
  name: 'leaves show what was set: brand string and a hypervisor leaf of our own',
  run(t) {
    const values: Registers[] = [
      [0x61766972, 0x6f, 1, 2],
      [3, 4, 5, 0xffffffff],
      [0x12345678, 0x9abcdef0, 0, 0x80000000],
    ];
    const queries = [
      [BRAND, 0],
      [BRAND + 1, 0],
      [0x40000010, 0],
    ] as const;
    const changed = queries.map(([leaf], i) => entry(leaf, null, values[i]!));
    const machine = t.machine({
      code: cpuidProgram(queries),
      cpuid: (entries) => withEntries(entries, changed),
    });
    assert.deepEqual(results(machine, queries.length), values);
  },
};

const subleaves: ConformanceCase = {
  name: 'subleaves are told apart by ECX, and one that was not set is zero',
  run(t) {
    const changed = [0, 1, 2].map((subleaf) => entry(4, subleaf, [0x121 + subleaf, subleaf, 63, 1]));
    const queries = [
      [4, 1],
      [4, 0],
      [4, 2],
      [4, 3],
    ] as const;
    const machine = t.machine({
      code: cpuidProgram(queries),
      cpuid: (entries) => withEntries(entries, changed),
    });
    assert.deepEqual(results(machine, queries.length), [
      [0x122, 1, 63, 1],
      [0x121, 0, 63, 1],
      [0x123, 2, 63, 1],
      [0, 0, 0, 0],
    ]);
  },
};

const withoutSubleaf: ConformanceCase = {
  name: 'a leaf without subleaves ignores ECX; a leaf below the highest that was not set is zero',
  run(t) {
    const values: Registers = [0x1000, 0x2000, 0x3000, 0x4000];
    const machine = t.machine({
      code: cpuidProgram([
        [2, 0x77],
        [3, 0],
      ]),
      cpuid: (entries) => withEntries(entries, [entry(2, null, values)]).filter(({ leaf }) => leaf !== 3),
    });
    assert.deepEqual(results(machine, 2), [values, [0, 0, 0, 0]]);
  },
};

const features: ConformanceCase = {
  name: 'a feature bit that is taken away is not seen; a changed signature is',
  run(t) {
    const signature = 0x000806f3;
    const withoutSse3: ConformanceMap = (it) => {
      return it.leaf === 1 ? { ...it, eax: signature, ecx: (it.ecx & ~1) >>> 0 } : it;
    };
    const machine = t.machine({
      code: cpuidProgram([[1, 0]]),
      cpuid: (entries) => entries.map(withoutSse3),
    });
    const [[family, , ecxValue]] = results(machine, 1) as [Registers];
    assert.equal(family, signature);
    assert.equal(ecxValue & 1, 0);
  },
};

type ConformanceMap = (entry: CpuidEntry) => CpuidEntry;

const setAgain: ConformanceCase = {
  name: 'setCpuid may be called again before the first run; getCpuid and the guest show the last one',
  run(t) {
    const first: Registers = [1, 2, 3, 4];
    const second: Registers = [5, 6, 7, 8];
    const machine = t.machine({
      code: cpuidProgram([[0x40000010, 0]]),
      cpuid: (entries) => withEntries(entries, [entry(0x40000010, null, first)]),
    });
    const { cpu } = machine;
    const changed = entry(0x40000010, null, second);
    cpu.setCpuid(withEntries(cpu.getCpuid(), [changed]));
    assert.deepEqual(
      cpu.getCpuid().find(({ leaf }) => leaf === 0x40000010),
      changed,
    );
    assert.deepEqual(results(machine, 1), [second]);
  },
};

const apicId: ConformanceCase = {
  name: 'leaf 1 shows the APIC id that was set for each vCPU',
  needs: ['threads', 'in-kernel-interrupt-controllers'],
  async run(t) {
    const machine = t.machine({
      interruptControllers: 'in-kernel',
      code(a) {
        a.mov(eax, 1);
        a.cpuid();
        a.shr(ebx, 24);
        a.mov(eax, ebx);
        a.out(0xf0, eax);
        done(a);
      },
    });
    for (const id of [0, 1, 2]) {
      const thread = await t.thread(machine, id, 0x8000);
      await thread.call('setMpState', 'runnable');
      thread.start();
      assert.equal(await thread.report(), id);
      await thread.stopped();
    }
  },
};

const osxsave: ConformanceCase = {
  name: 'OSXSAVE follows CR4 whatever was set',
  needs: ['xsave'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(eax, 1);
        a.cpuid();
        a.shr(ecx, 27);
        a.and(ecx, 1);
        a.mov(eax, ecx);
        a.out(0xf0, eax);
        done(a);
      },
    });
    const { cpu } = machine;
    const special = cpu.getSpecialRegisters();
    cpu.setSpecialRegisters({ ...special, cr4: special.cr4 | (1n << 18n) });
    assert.deepEqual(machine.finish(), [1]);
  },
};

export const cpuidCases: readonly ConformanceCase[] = [
  leaves,
  subleaves,
  withoutSubleaf,
  features,
  setAgain,
  apicId,
  osxsave,
];
