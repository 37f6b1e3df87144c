/** Kicks and immediate exits: how a vCPU is got out of its guest, and what is finished before. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { al, byte, dword, eax, ecx, rax, rcx } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { answer, exitValue } from '../exit-data.ts';
import { delay, done, report, reportEax, spin } from '../guest-code.ts';
import { CODE, DATA, MMIO } from '../guest-layout.ts';
import { Machine, type MachineOptions } from '../machine.ts';
import { Watchdog } from '../watchdog.ts';

const SPINNING: MachineOptions = {
  code(a) {
    report(a, 1);
    spin(a);
  },
};

const latency: ConformanceCase = {
  name: 'every kick of a spinning guest makes its run return',
  needs: ['threads'],
  async run(t) {
    const kicks = 100;
    const machine = t.machine(SPINNING);
    const thread = await t.thread(machine, 0, CODE);
    const latencies: number[] = [];
    thread.start({ stopWhenInterrupted: true });
    assert.equal(await thread.report(), 1);
    for (let i = 0; i < kicks; i++) {
      await sleep(1);
      const kickedAtNs = process.hrtime.bigint();
      machine.handle(0).kick();
      const { exit, atNs } = await thread.stopped();
      assert.equal(exit.kind, 'interrupted');
      // A spurious exit may have come before the kick.
      if (atNs >= kickedAtNs) latencies.push(Number(atNs - kickedAtNs) / 1000);
      thread.start({ stopWhenInterrupted: true });
    }
    latencies.sort((a, b) => a - b);
    const at = (fraction: number) => latencies[Math.floor((latencies.length - 1) * fraction)]?.toFixed(0);
    t.note(`kick to return: median ${at(0.5)} µs, 90% ${at(0.9)} µs, longest ${at(1)} µs`);
  },
};

const beforeRun: ConformanceCase = {
  name: 'a kick before run makes the next run return, once',
  run(t) {
    const machine = t.machine(SPINNING);
    const { cpu } = machine;
    machine.handle(0).kick();
    assert.equal(cpu.run().kind, 'interrupted');
    machine.expectIo('out', 0xf0);
    machine.handle(0).kick();
    machine.handle(0).kick();
    assert.equal(cpu.run().kind, 'interrupted');
  },
};

const fromSeed: ConformanceCase = {
  name: 'a thread that has only the seed kicks a vCPU out of an endless loop: the suite’s own watchdog',
  needs: ['threads'],
  async run(t) {
    const watchdog = await Watchdog.start(t.subject.workerModule);
    try {
      const machine = new Machine(t.subject, watchdog, SPINNING);
      watchdog.arm('a guest that never ends', 50);
      machine.expectIo('out', 0xf0);
      assert.throws(() => machine.run(), /did not come to its end in time/);
      await watchdog.settle();
      machine.close();
    } finally {
      await watchdog.stop();
    }
  },
};

const notSwallowed: ConformanceCase = {
  name: 'a kick is not swallowed by completeExit, by setImmediateExit, or by another exit',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.in(al, 0x60);
        a.in(al, 0x61);
        report(a, 1);
        done(a);
      },
    });
    const { cpu } = machine;
    answer(machine.expectIo('in', 0x60), 1);
    machine.handle(0).kick();
    assert.equal(cpu.completeExit().kind, 'interrupted');
    assert.equal(cpu.run().kind, 'interrupted', 'after completeExit');
    answer(machine.expectIo('in', 0x61), 1);
    machine.handle(0).kick();
    cpu.setImmediateExit(true);
    cpu.setImmediateExit(false);
    assert.equal(cpu.run().kind, 'interrupted', 'after setImmediateExit');
    assert.deepEqual(machine.finish(), [1]);
  },
};

const immediateExit: ConformanceCase = {
  name: 'with setImmediateExit, run finishes the pending I/O, runs no instruction and returns',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rcx, 0);
        a.in(al, 0x60);
        a.label('after');
        a.inc(ecx);
        a.mov(eax, ecx);
        reportEax(a);
        done(a);
      },
    });
    const { cpu } = machine;
    answer(machine.expectIo('in', 0x60), 0x7e);
    cpu.setImmediateExit(true);
    for (let i = 0; i < 3; i++) {
      assert.equal(cpu.run().kind, 'interrupted');
      const { rip, rax: value, rcx: count } = cpu.getRegisters();
      assert.equal(rip, BigInt(machine.program.address('after')));
      assert.equal(value & 0xffn, 0x7en);
      assert.equal(count, 0n);
    }
    cpu.setImmediateExit(false);
    assert.deepEqual(machine.finish(), [1]);
  },
};

const beforeFirstRun: ConformanceCase = {
  name: 'with setImmediateExit before the first run, no instruction runs',
  run(t) {
    const machine = t.machine(SPINNING);
    machine.cpu.setImmediateExit(true);
    assert.equal(machine.cpu.run().kind, 'interrupted');
    assert.equal(machine.cpu.getRegisters().rip, BigInt(CODE));
    machine.cpu.setImmediateExit(false);
    machine.expectIo('out', 0xf0);
  },
};

const completesMmio: ConformanceCase = {
  name: 'completeExit finishes an MMIO read: the register has the answer, nothing after it has run',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rax, 0);
        a.mov(eax, dword(MMIO));
        a.label('after');
        a.mov(byte(DATA), 1);
        done(a);
      },
    });
    answer(machine.expectMmio('read', MMIO, 4), 0xabcdef01);
    assert.equal(machine.cpu.completeExit().kind, 'interrupted');
    const { rip, rax: value } = machine.cpu.getRegisters();
    assert.equal(rip, BigInt(machine.program.address('after')));
    assert.equal(value, 0xabcdef01n);
    assert.equal(machine.memory.readU8(DATA), 0);
    machine.expectDone();
  },
};

const completesParts: ConformanceCase = {
  name: 'completeExit brings the next part of an access across pages, and then says it is finished',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(eax, dword(MMIO + 4096 - 1));
        a.label('after');
        reportEax(a);
        done(a);
      },
    });
    const { cpu } = machine;
    answer(machine.expectMmio('read', MMIO + 4095, 1), 0x11);
    const second = cpu.completeExit();
    assert.ok(second.kind === 'mmio' && second.gpa === MMIO + 4096 && second.lengthBytes === 3);
    answer(second, 0x443322);
    assert.equal(cpu.completeExit().kind, 'interrupted');
    assert.equal(cpu.getRegisters().rip, BigInt(machine.program.address('after')));
    assert.deepEqual(machine.finish(), [0x44332211]);
  },
};

const completesOutput: ConformanceCase = {
  name: 'completeExit after OUT leaves the instruction pointer behind it',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(eax, 5);
        a.out(0x80, al);
        a.label('after');
        a.mov(eax, 6);
        reportEax(a);
        done(a);
      },
    });
    assert.equal(exitValue(machine.expectIo('out', 0x80)), 5n);
    assert.equal(machine.cpu.completeExit().kind, 'interrupted');
    const { rip, rax: value } = machine.cpu.getRegisters();
    assert.equal(rip, BigInt(machine.program.address('after')));
    assert.equal(value, 5n);
    assert.deepEqual(machine.finish(), [6]);
  },
};

const storm: ConformanceCase = {
  name: 'a guest under a storm of kicks computes the same',
  needs: ['threads'],
  async run(t) {
    const machine = t.machine({
      code(a) {
        report(a, 0);
        a.mov(rax, 0);
        a.mov(ecx, 2_000_000);
        a.label('round');
        a.add(rax, rcx);
        a.dec(ecx);
        a.jcc('ne', 'round');
        reportEax(a);
        delay(a, 1, ecx);
        done(a);
      },
    });
    const thread = await t.thread(machine, 0, CODE);
    thread.start();
    assert.equal(await thread.report(), 0);
    const result = thread.report();
    let finished = false;
    const ended = result.finally(() => {
      finished = true;
    });
    while (!finished) {
      for (let i = 0; i < 10; i++) machine.handle(0).kick();
      await sleep(0);
    }
    assert.equal(await ended, Number(BigInt.asUintN(32, (2_000_000n * 2_000_001n) / 2n)));
  },
};

export const kickCases: readonly ConformanceCase[] = [
  latency,
  beforeRun,
  notSwallowed,
  fromSeed,
  storm,
  immediateExit,
  beforeFirstRun,
  completesMmio,
  completesParts,
  completesOutput,
];
