/** Memory slots: where they lie, what may be written, and changes under a running guest. */
import assert from 'node:assert/strict';
import { byte, dword, eax, ecx, edi, qword, rax, rbx, rdi } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { answer, exitValue } from '../exit-data.ts';
import { done, report, reportEax } from '../guest-code.ts';
import { CODE, MMIO, PAGE_DIRECTORIES, PDPT, RAM_BYTES } from '../guest-layout.ts';
import type { Machine, MachineOptions } from '../machine.ts';

const PAGE = 4096;
const SLOT = MMIO;

/** Adds a slot with its first word set. */
function addSlot(machine: Machine, id: number, gpa: number, firstWord: number, readonly = false) {
  const backing = machine.allocate(2 * PAGE);
  const words = new Uint32Array(backing.buffer, 0, PAGE / 2);
  words[0] = firstWord;
  const slot = { id, gpa, sizeBytes: PAGE, backing, backingOffset: 0, readonly };
  machine.vm.setMemorySlot(slot);
  return { slot, words };
}

/** Reads the word at each address and reports it, each time it is told to go on. */
function readingGuest(addresses: readonly number[], rounds: number): MachineOptions {
  return {
    code(a) {
      for (let round = 0; round < rounds; round++) {
        for (const address of addresses) {
          a.mov(eax, dword(address));
          reportEax(a);
        }
      }
      done(a);
    },
  };
}

const MISSING = 0xffff_ffff;

/** What the guest reads in each round; MMIO reads answer all ones. */
function readRounds(machine: Machine, perRound: number, betweenRounds: (round: number) => void): number[][] {
  const rounds: number[][] = [];
  let current: number[] = [];
  machine.finish({
    serve(exit) {
      if (exit.kind !== 'mmio' || exit.direction !== 'read') return false;
      answer(exit, MISSING);
      return true;
    },
    onReport(value) {
      current.push(value);
      if (current.length < perRound) return;
      rounds.push(current);
      current = [];
      betweenRounds(rounds.length);
    },
  });
  return rounds;
}

const addAndDelete: ConformanceCase = {
  name: 'a range is MMIO, RAM once a slot is added, MMIO again when it is deleted',
  run(t) {
    const machine = t.machine(readingGuest([SLOT], 3));
    const rounds = readRounds(machine, 1, (round) => {
      if (round === 1) addSlot(machine, 1, SLOT, 0x1234);
      if (round === 2) machine.vm.deleteMemorySlot(1);
    });
    assert.deepEqual(rounds, [[MISSING], [0x1234], [MISSING]]);
  },
};

const move: ConformanceCase = {
  name: 'a slot that moves takes its contents along and leaves MMIO behind',
  run(t) {
    const machine = t.machine(readingGuest([SLOT, SLOT + PAGE], 2));
    const { slot } = addSlot(machine, 1, SLOT, 0x1234);
    const rounds = readRounds(machine, 2, (round) => {
      if (round === 1) machine.vm.setMemorySlot({ ...slot, gpa: SLOT + PAGE });
    });
    assert.deepEqual(rounds, [
      [0x1234, MISSING],
      [MISSING, 0x1234],
    ]);
  },
};

const otherMemory: ConformanceCase = {
  name: 'a slot may change its memory, its offset and its size',
  run(t) {
    const machine = t.machine(readingGuest([SLOT, SLOT + PAGE], 4));
    const { slot, words } = addSlot(machine, 1, SLOT, 0x1111);
    words[PAGE / 4] = 0x2222;
    const other = machine.allocate(PAGE);
    new Uint32Array(other.buffer)[0] = 0x3333;
    const rounds = readRounds(machine, 2, (round) => {
      if (round === 1) machine.vm.setMemorySlot({ ...slot, backingOffset: PAGE });
      if (round === 2) machine.vm.setMemorySlot({ ...slot, sizeBytes: 2 * PAGE });
      if (round === 3) machine.vm.setMemorySlot({ ...slot, backing: other });
    });
    assert.deepEqual(rounds, [
      [0x1111, MISSING],
      [0x2222, MISSING],
      [0x1111, 0x2222],
      [0x3333, MISSING],
    ]);
  },
};

const aliases: ConformanceCase = {
  name: 'two slots may share memory: a write through one is seen through the other',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(dword(SLOT), 0x7777);
        a.mov(eax, dword(SLOT + 16 * PAGE));
        reportEax(a);
        done(a);
      },
    });
    const { slot } = addSlot(machine, 1, SLOT, 0);
    machine.vm.setMemorySlot({ ...slot, id: 2, gpa: SLOT + 16 * PAGE });
    assert.deepEqual(machine.finish(), [0x7777]);
  },
};

const refused: ConformanceCase = {
  name: 'a slot that overlaps another is refused, and nothing changes; so is deleting none',
  run(t) {
    const machine = t.machine(readingGuest([SLOT], 1));
    const { slot } = addSlot(machine, 1, SLOT, 0x4444);
    assert.throws(() => machine.vm.setMemorySlot({ ...slot, id: 2 }));
    assert.throws(() => machine.vm.setMemorySlot({ ...slot, id: 3, gpa: RAM_BYTES - PAGE }));
    assert.throws(() => machine.vm.deleteMemorySlot(9));
    assert.deepEqual(
      readRounds(machine, 1, () => {}),
      [[0x4444]],
    );
  },
};

const refusedChange: ConformanceCase = {
  name: 'a slot whose change is refused stays as it was',
  run(t) {
    const machine = t.machine(readingGuest([SLOT, SLOT + PAGE], 2));
    const { slot } = addSlot(machine, 1, SLOT, 0x4444);
    addSlot(machine, 2, SLOT + PAGE, 0x5555);
    const other = machine.allocate(2 * PAGE);
    const rounds = readRounds(machine, 2, (round) => {
      if (round !== 1) return;
      assert.throws(() => machine.vm.setMemorySlot({ ...slot, backing: other, sizeBytes: 2 * PAGE }));
      assert.throws(() => machine.vm.setMemorySlot({ ...slot, gpa: SLOT + PAGE }));
    });
    assert.deepEqual(rounds, [
      [0x4444, 0x5555],
      [0x4444, 0x5555],
    ]);
  },
};

const aboveFourGib: ConformanceCase = {
  name: 'a slot above 4 GiB',
  run(t) {
    const gpa = 0x1_4000_0000; // 5 GiB
    const machine = t.machine({
      code(a) {
        a.mov(rbx, gpa);
        a.mov(eax, dword(rbx));
        reportEax(a);
        a.inc(eax);
        a.mov(dword(rbx, 8), eax);
        done(a);
      },
    });
    // GiB 5 of virtual memory: a directory of its own, with 2 MiB pages.
    const directory = PAGE_DIRECTORIES + 4 * PAGE;
    machine.memory.writeU64(PDPT + 5 * 8, BigInt(directory | 3));
    machine.memory.writeU64(directory, BigInt(gpa) + 0x83n);
    const { words } = addSlot(machine, 1, gpa, 0x9999);
    assert.deepEqual(machine.finish(), [0x9999]);
    assert.equal(words[2], 0x999a);
  },
};

const readOnly: ConformanceCase = {
  name: 'a read-only slot: reads hit memory, writes are MMIO exits and change nothing',
  needs: ['readonly-memory'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(eax, dword(SLOT));
        reportEax(a);
        a.mov(dword(SLOT + 4), 0xabcd);
        a.add(dword(SLOT), 1);
        a.mov(rax, qword(SLOT));
        reportEax(a);
        done(a);
      },
    });
    const { words } = addSlot(machine, 1, SLOT, 0x6000, true);
    assert.equal(exitValue(machine.expectIo('out', 0xf0)), 0x6000n);
    assert.equal(exitValue(machine.expectMmio('write', SLOT + 4, 4)), 0xabcdn);
    assert.equal(exitValue(machine.expectMmio('write', SLOT, 4)), 0x6001n);
    assert.deepEqual(machine.finish(), [0x6000]);
    assert.deepEqual([...words.subarray(0, 2)], [0x6000, 0]);
  },
};

const readOnlyString: ConformanceCase = {
  name: 'string writes to a read-only slot are MMIO exits, item after item',
  needs: ['readonly-memory'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(edi, SLOT + 8);
        a.mov(ecx, 3);
        a.mov(eax, 0x5a);
        a.rep();
        a.stos(8);
        done(a);
      },
    });
    const { words } = addSlot(machine, 1, SLOT, 1, true);
    for (const i of [0, 1, 2]) assert.equal(exitValue(machine.expectMmio('write', SLOT + 8 + i, 1)), 0x5an);
    machine.expectDone();
    assert.equal(words[2], 0);
  },
};

const readOnlyCode: ConformanceCase = {
  name: 'code runs from a read-only slot',
  needs: ['readonly-memory'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rbx, SLOT);
        a.call(rbx);
        reportEax(a);
        done(a);
        a.label('rom');
        a.mov(eax, 0x20);
        a.add(eax, 0x0a);
        a.ret();
        a.label('rom end');
      },
    });
    const { words } = addSlot(machine, 1, SLOT, 0, true);
    const from = machine.program.address('rom') - CODE;
    const code = machine.program.bytes.subarray(from, machine.program.address('rom end') - CODE);
    new Uint8Array(words.buffer).set(code);
    assert.deepEqual(machine.finish(), [0x2a]);
  },
};

const becomesReadOnly: ConformanceCase = {
  name: 'a slot may become read-only, and writable again',
  needs: ['readonly-memory'],
  run(t) {
    const machine = t.machine({
      code(a) {
        for (const i of [1, 2, 3]) {
          a.mov(byte(SLOT), i);
          report(a, i);
        }
        done(a);
      },
    });
    const { slot, words } = addSlot(machine, 1, SLOT, 0);
    const writes: number[] = [];
    machine.finish({
      serve(exit) {
        if (exit.kind !== 'mmio') return false;
        writes.push(Number(exitValue(exit)));
        return true;
      },
      onReport(value) {
        if (value === 1) machine.vm.setMemorySlot({ ...slot, readonly: true });
        if (value === 2) machine.vm.setMemorySlot({ ...slot, readonly: false });
      },
    });
    assert.deepEqual(writes, [2]);
    assert.equal(words[0], 3);
  },
};

/** Loops until the word at SLOT has each of three values in turn. */
function pollingGuest(): MachineOptions {
  return {
    code(a) {
      for (const [i, value] of [0x5107, 0, 0x5107].entries()) {
        report(a, i);
        a.label(`poll ${i}`);
        a.pause();
        a.cmp(dword(SLOT), value);
        a.jcc('ne', `poll ${i}`);
      }
      report(a, 3);
      done(a);
    },
  };
}

const whileRunning: ConformanceCase = {
  name: 'slots are added, deleted and moved while a vCPU runs on them',
  needs: ['threads'],
  async run(t) {
    const machine = t.machine(pollingGuest());
    const thread = await t.thread(machine, 0, CODE);
    thread.start({ mmioValue: 0n });
    assert.equal(await thread.report(), 0);
    const { slot } = addSlot(machine, 1, SLOT, 0x5107);
    assert.equal(await thread.report(), 1);
    machine.vm.setMemorySlot({ ...slot, gpa: SLOT + 4 * PAGE });
    assert.equal(await thread.report(), 2);
    machine.vm.setMemorySlot(slot);
    assert.equal(await thread.report(), 3);
    assert.equal((await thread.stopped()).exit.kind, 'io');
    assert.ok(thread.mmioReads > 0);
  },
};

const elsewhere: ConformanceCase = {
  name: 'a guest that computes in one slot never notices two hundred changes of another',
  needs: ['threads'],
  async run(t) {
    const machine = t.machine({
      code(a) {
        report(a, 0);
        a.mov(edi, 0x10000);
        a.mov(ecx, 0);
        a.label('round');
        a.inc(dword(rdi));
        a.inc(ecx);
        a.cmp(dword(0x10000), ecx);
        a.jcc('e', 'round');
        report(a, 0xbad);
        done(a);
      },
    });
    const thread = await t.thread(machine, 0, CODE);
    thread.start();
    assert.equal(await thread.report(), 0);
    const { slot } = addSlot(machine, 1, SLOT, 0);
    for (let i = 0; i < 100; i++) {
      machine.vm.setMemorySlot({ ...slot, gpa: SLOT + (i % 8) * PAGE });
      machine.vm.deleteMemorySlot(1);
      machine.vm.setMemorySlot(slot);
    }
    assert.equal((await thread.stop()).exit.kind, 'interrupted');
    assert.deepEqual(thread.takeReports(), []);
  },
};

export const memorySlotCases: readonly ConformanceCase[] = [
  addAndDelete,
  move,
  otherMemory,
  aliases,
  refused,
  refusedChange,
  aboveFourGib,
  readOnly,
  readOnlyString,
  readOnlyCode,
  becomesReadOnly,
  whileRunning,
  elsewhere,
];
