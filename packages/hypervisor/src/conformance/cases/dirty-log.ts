/** Dirty logging: every page written since the log was last taken, and no other. */
import assert from 'node:assert/strict';
import { bitmapSizeBytes, dirtyPages } from '@vireo/guest-memory';
import { type Assembler, byte, dword, eax, ebx, ecx, edi, edx, rdi } from '../assembler.ts';
import type { CaseContext } from '../case-context.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, report } from '../guest-code.ts';
import { CODE, MMIO } from '../guest-layout.ts';
import type { Machine, MachineOptions } from '../machine.ts';

const PAGE = 4096;
const SLOT = 1;
const GPA = MMIO;

function addLogged(machine: Machine, pages: number, logDirtyPages = true) {
  const backing = machine.allocate(pages * PAGE);
  const slot = { id: SLOT, gpa: GPA, sizeBytes: pages * PAGE, backing, backingOffset: 0, logDirtyPages };
  machine.vm.setMemorySlot(slot);
  return { slot, bytes: new Uint8Array(backing.buffer, 0, pages * PAGE) };
}

function take(machine: Machine): number[] {
  return dirtyPages(machine.vm.takeDirtyLog(SLOT));
}

/** Protected mode without paging: the processor writes nothing of its own, such as accessed bits. */
function guest(steps: readonly ((a: Assembler) => void)[]): MachineOptions {
  return {
    mode: 'protected',
    code(a) {
      for (const [i, step] of steps.entries()) {
        step(a);
        report(a, i);
      }
      done(a);
    },
  };
}

function pagesAfterEachStep(machine: Machine, before: (step: number) => void = () => {}): number[][] {
  const logs: number[][] = [];
  machine.finish({
    onReport(value) {
      logs.push(take(machine));
      before(value + 1);
    },
  });
  return logs;
}

const writes: ConformanceCase = {
  name: 'the log has exactly the pages written since it was last taken; reads are no writes',
  run(t) {
    const machine = t.machine(
      guest([
        (a) => {
          a.mov(dword(GPA + 3 * PAGE), eax);
          a.inc(byte(GPA + 69 * PAGE));
        },
        (a) => a.mov(eax, dword(GPA + 5 * PAGE)),
        (a) => a.mov(dword(GPA + 8 * PAGE - 2), eax),
        (a) => a.mov(byte(GPA + 3 * PAGE + 1), 1),
      ]),
    );
    addLogged(machine, 70);
    assert.deepEqual(pagesAfterEachStep(machine), [[3, 69], [], [7, 8], [3]]);
  },
};

const shape: ConformanceCase = {
  name: 'the log is one bit a page, rounded up to 64, and starts empty',
  run(t) {
    const machine = t.machine(guest([]));
    addLogged(machine, 65);
    const bitmap = machine.vm.takeDirtyLog(SLOT);
    assert.equal(bitmap.length, bitmapSizeBytes(65 * PAGE));
    assert.deepEqual(dirtyPages(bitmap), []);
  },
};

const toggled: ConformanceCase = {
  name: 'logging may be turned on, off and on again; each time it starts empty',
  run(t) {
    const step = (a: Assembler) => a.inc(dword(GPA + 2 * PAGE));
    const machine = t.machine(guest([step, step, step, step]));
    const { slot } = addLogged(machine, 8, false);
    const logs: number[][] = [];
    machine.finish({
      onReport(value) {
        if (value === 0) machine.vm.setMemorySlot({ ...slot, logDirtyPages: true });
        if (value === 1) {
          logs.push(take(machine));
          machine.vm.setMemorySlot({ ...slot, logDirtyPages: false });
        }
        if (value === 2) {
          assert.throws(() => take(machine), 'no log is kept');
          machine.vm.setMemorySlot({ ...slot, logDirtyPages: true });
          logs.push(take(machine));
        }
        if (value === 3) logs.push(take(machine));
      },
    });
    assert.deepEqual(logs, [[2], [], [2]]);
  },
};

const stringIo: ConformanceCase = {
  name: 'what string I/O and string moves write is logged',
  run(t) {
    const machine = t.machine(
      guest([
        (a) => {
          a.mov(edi, GPA + 2 * PAGE - 2);
          a.mov(ecx, 4);
          a.mov(edx, 0x1234);
          a.rep();
          a.ins(8);
        },
        (a) => {
          a.mov(edi, GPA + 5 * PAGE);
          a.mov(ecx, 2 * PAGE);
          a.rep();
          a.stos(8);
        },
      ]),
    );
    addLogged(machine, 16);
    const logs: number[][] = [];
    machine.finish({ serve: (exit) => exit.kind === 'io', onReport: () => logs.push(take(machine)) });
    assert.deepEqual(logs, [
      [1, 2],
      [5, 6],
    ]);
  },
};

const otherSlots: ConformanceCase = {
  name: 'writes to other slots, and writes by the host, are not in the log',
  run(t) {
    const machine = t.machine(guest([(a) => a.mov(dword(0x10000), eax)]));
    const { bytes } = addLogged(machine, 8);
    bytes[PAGE] = 1;
    assert.deepEqual(pagesAfterEachStep(machine), [[]]);
  },
};

const PAGES = 64;
const VALUE_STEP = 0x9e3779b1;

/** Writes a new value to a page picked by a linear congruence, for ever; each vCPU its own half of every page. */
function writer(a: Assembler, name: string, offset: number): void {
  a.mov(ebx, offset + 1);
  report(a, 0);
  a.label(name);
  a.imul(ebx, ebx, 1664525);
  a.add(ebx, 1013904223);
  a.mov(edi, ebx);
  a.shr(edi, 26); // 0 to 63
  a.shl(edi, 12);
  a.add(eax, VALUE_STEP);
  a.mov(dword(rdi, GPA + offset), eax);
  a.jmp(name);
}

/** As live migration does it: copy everything, then again what the log says, and once more when all is still. */
async function precopy(t: CaseContext): Promise<void> {
  const machine = t.machine({
    code(a) {
      writer(a, 'first', 0);
      a.align(16);
      a.label('entry 1');
      writer(a, 'second', 2048);
    },
  });
  const { bytes } = addLogged(machine, PAGES);
  const threads = [
    await t.thread(machine, 0, CODE),
    await t.thread(machine, 1, machine.program.address('entry 1')),
  ];
  for (const thread of threads) {
    thread.start();
    assert.equal(await thread.report(), 0);
  }
  const copy = bytes.slice();
  const copyPages = (pages: readonly number[]) => {
    for (const page of pages) copy.set(bytes.subarray(page * PAGE, (page + 1) * PAGE), page * PAGE);
    return pages.length;
  };
  let dirtied = 0;
  for (let round = 0; round < 100; round++) dirtied += copyPages(take(machine));
  for (const thread of threads) await thread.stop();
  const last = copyPages(take(machine));
  assert.deepEqual(copy, bytes);
  assert.ok(dirtied > 0, 'the guest wrote while the log was taken');
  t.note(`${dirtied} dirty pages in 100 rounds, ${last} after the stop`);
}

const underFire: ConformanceCase = {
  name: 'nothing is missed while two vCPUs write and the log is taken a hundred times',
  needs: ['threads'],
  run: precopy,
};

export const dirtyLogCases: readonly ConformanceCase[] = [
  shape,
  writes,
  toggled,
  stringIo,
  otherSlots,
  underFire,
];
