/** HLT on a VM with in-kernel controllers: the vCPU waits inside `run`, in its thread, until something wakes it. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Assembler, ecx } from '../assembler.ts';
import type { CaseContext } from '../case-context.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, enableLapic, haltForEver, lapicEoi, report, routeIoapicPin } from '../guest-code.ts';
import { CODE } from '../guest-layout.ts';
import type { Machine, MachineOptions } from '../machine.ts';
import type { VcpuThread } from '../vcpu-thread.ts';
import { msi } from './interrupt-guest.ts';

const NEEDS = ['in-kernel-interrupt-controllers', 'threads'] as const;
const READY = 1;
const HANDLED = 2;
const AFTER = 3;
const VECTOR = 0x47;
const PIN = 19;
/** Long enough for the vCPU to be halted in all likelihood; the case holds either way. */
const SETTLE_MS = 30;

function haltedGuest(interrupts: 'on' | 'off'): MachineOptions {
  return {
    interruptControllers: 'in-kernel',
    code(a) {
      enableLapic(a);
      routeIoapicPin(a, PIN, VECTOR);
      report(a, READY);
      if (interrupts === 'on') a.sti();
      else a.cli();
      a.hlt();
      report(a, AFTER);
      done(a);
      a.label('handler');
      report(a, HANDLED);
      lapicEoi(a);
      a.iret();
    },
    vectors: { [VECTOR]: 'handler', 2: 'handler' },
  };
}

/** Starts the guest in a thread and waits until it is halted. */
async function halted(t: CaseContext, machine: Machine): Promise<VcpuThread> {
  const thread = await t.thread(machine, 0, CODE);
  thread.start();
  assert.equal(await thread.report(), READY);
  await sleep(SETTLE_MS);
  return thread;
}

function wakeCase(
  name: string,
  interrupts: 'on' | 'off',
  wake: (machine: Machine, thread: VcpuThread) => void,
): ConformanceCase {
  return {
    name,
    needs: NEEDS,
    async run(t) {
      const machine = t.machine(haltedGuest(interrupts));
      const thread = await halted(t, machine);
      assert.deepEqual(thread.takeReports(), []);
      wake(machine, thread);
      assert.equal(await thread.report(), HANDLED);
      assert.equal(await thread.report(), AFTER);
      assert.equal((await thread.stopped()).exit.kind, 'io');
    },
  };
}

const kickLeavesHalted: ConformanceCase = {
  name: 'a kick ends the wait; the vCPU stays halted, and the next run waits on',
  needs: NEEDS,
  async run(t) {
    const machine = t.machine(haltedGuest('on'));
    const thread = await halted(t, machine);
    assert.equal((await thread.stop()).exit.kind, 'interrupted');
    assert.equal(await thread.call('getMpState'), 'halted');
    thread.start();
    await sleep(SETTLE_MS);
    assert.deepEqual(thread.takeReports(), []);
    machine.vm.signalMsi(msi(VECTOR));
    assert.equal(await thread.report(), HANDLED);
    assert.equal(await thread.report(), AFTER);
  },
};

const maskedStaysHalted: ConformanceCase = {
  name: 'an interrupt does not wake a vCPU halted with IF clear; an NMI does',
  needs: NEEDS,
  async run(t) {
    const machine = t.machine(haltedGuest('off'));
    const thread = await halted(t, machine);
    machine.vm.signalMsi(msi(VECTOR));
    await sleep(SETTLE_MS);
    assert.deepEqual(thread.takeReports(), []);
    machine.vm.signalMsi(msi(0, 0, 0x400));
    assert.equal(await thread.report(), HANDLED);
    assert.equal(await thread.report(), AFTER);
  },
};

const setHalted: ConformanceCase = {
  name: "setMpState('halted') makes the next run wait, and getMpState says so",
  needs: NEEDS,
  async run(t) {
    const machine = t.machine({
      interruptControllers: 'in-kernel',
      code(a: Assembler) {
        report(a, AFTER);
        done(a);
        a.label('handler');
        report(a, HANDLED);
        a.iret();
      },
      vectors: { 2: 'handler' },
    });
    const thread = await t.thread(machine, 0, CODE);
    assert.equal(await thread.call('getMpState'), 'runnable');
    await thread.call('setMpState', 'halted');
    assert.equal(await thread.call('getMpState'), 'halted');
    thread.start();
    await sleep(SETTLE_MS);
    assert.equal((await thread.stop()).exit.kind, 'interrupted');
    assert.deepEqual(thread.takeReports(), []);
    await thread.call('injectNmi');
    thread.start();
    assert.equal(await thread.report(), HANDLED);
    assert.equal(await thread.report(), AFTER);
  },
};

const manyWakes: ConformanceCase = {
  name: 'five hundred halts and wakes, none lost',
  needs: NEEDS,
  async run(t) {
    const wakes = 500;
    const machine = t.machine({
      interruptControllers: 'in-kernel',
      code(a) {
        enableLapic(a);
        a.mov(ecx, wakes);
        a.sti();
        report(a, READY);
        haltForEver(a);
        a.label('handler');
        lapicEoi(a);
        report(a, HANDLED);
        a.dec(ecx);
        a.jcc('e', 'end');
        a.iret();
        a.label('end');
        done(a);
      },
      vectors: { [VECTOR]: 'handler' },
    });
    const thread = await t.thread(machine, 0, CODE);
    thread.start();
    assert.equal(await thread.report(), READY);
    for (let i = 0; i < wakes; i++) {
      assert.equal(machine.vm.signalMsi(msi(VECTOR)), true);
      assert.equal(await thread.report(), HANDLED);
    }
    assert.equal((await thread.stopped()).exit.kind, 'io');
  },
};

export const wakeCases: readonly ConformanceCase[] = [
  wakeCase('a line wakes a halted vCPU', 'on', ({ vm }) => {
    vm.setIrqLine(PIN, true);
    vm.setIrqLine(PIN, false);
  }),
  wakeCase('an MSI wakes a halted vCPU', 'on', ({ vm }) => {
    vm.signalMsi(msi(VECTOR));
  }),
  wakeCase('an NMI wakes a vCPU halted with IF clear', 'off', ({ vm }) => {
    vm.signalMsi(msi(0, 0, 0x400));
  }),
  kickLeavesHalted,
  maskedStaysHalted,
  setHalted,
  manyWakes,
];
