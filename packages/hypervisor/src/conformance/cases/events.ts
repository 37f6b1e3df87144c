/** Events in the middle of their delivery, set and read by the host (Intel SDM Vol. 3A chapter 6). */
import assert from 'node:assert/strict';
import type { VcpuEvents } from '../../vcpu-state.ts';
import { type Assembler, cr2, ecx, rax } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { delay, done, report, reportEax } from '../guest-code.ts';
import { CODE } from '../guest-layout.ts';
import type { Machine, MachineOptions } from '../machine.ts';
import { moveToNewMachine } from './moves.ts';

const READY = 1;

/** Reports the vector, the error code where there is one, CR2 and where it was taken. */
function guest(vector: number, errorCode: boolean): MachineOptions {
  return {
    code(a) {
      report(a, READY);
      delay(a, 10, ecx);
      done(a);
      a.label('handler');
      report(a, vector);
      if (errorCode) popReport(a);
      popReport(a);
      a.mov(rax, cr2);
      reportEax(a);
      done(a);
    },
    vectors: { [vector]: 'handler' },
  };
}

function popReport(a: Assembler): void {
  a.pop(rax);
  reportEax(a);
}

function setException(machine: Machine, exception: Partial<VcpuEvents['exception']>): void {
  const events = machine.cpu.getEvents();
  machine.cpu.setEvents({ ...events, exception: { ...events.exception, ...exception } });
}

const injected: ConformanceCase = {
  name: 'an injected exception is taken before the next instruction, with its error code',
  run(t) {
    const machine = t.machine(guest(13, true));
    setException(machine, { injected: true, vector: 13, errorCode: 0x1230 });
    assert.deepEqual(machine.finish(), [13, 0x1230, CODE, 0]);
  },
};

const injectedMoves: ConformanceCase = {
  name: 'an exception that was injected and not yet taken moves with the state',
  run(t) {
    const options = guest(13, true);
    const machine = t.machine(options);
    setException(machine, { injected: true, vector: 13, errorCode: 0x18 });
    const moved = moveToNewMachine(t, machine, options);
    const { exception } = moved.cpu.getEvents();
    assert.deepEqual([exception.vector, exception.errorCode], [13, 0x18]);
    assert.deepEqual(moved.finish(), [13, 0x18, CODE, 0]);
  },
};

const pendingPayload: ConformanceCase = {
  name: 'a pending page fault sets CR2 from its payload when it is taken',
  run(t) {
    const machine = t.machine(guest(14, true));
    setException(machine, { pending: true, vector: 14, errorCode: 2, payload: 0x12345000n });
    assert.deepEqual(machine.finish(), [14, 2, CODE, 0x12345000]);
  },
};

const pendingNmi: ConformanceCase = {
  name: 'a pending NMI shows in the events, and is taken after a move',
  run(t) {
    const options = guest(2, false);
    const machine = t.machine(options);
    machine.cpu.injectNmi();
    assert.equal(machine.cpu.getEvents().nmi.pending, true);
    const moved = moveToNewMachine(t, machine, options);
    assert.deepEqual(moved.finish(), [2, CODE, 0]);
  },
};

const maskedNmi: ConformanceCase = {
  name: 'an NMI waits while the events say that NMIs are masked',
  run(t) {
    const machine = t.machine(guest(2, false));
    const events = machine.cpu.getEvents();
    machine.cpu.setEvents({ ...events, nmi: { ...events.nmi, masked: true } });
    assert.equal(machine.cpu.getEvents().nmi.masked, true);
    machine.cpu.injectNmi();
    assert.deepEqual(machine.finish(), [READY]);
  },
};

const shadow: ConformanceCase = {
  name: 'an interrupt shadow that is set shows in the events, and moves with the state',
  run(t) {
    const options = guest(2, false);
    const machine = t.machine(options);
    const events = machine.cpu.getEvents();
    assert.equal(events.interrupt.shadow, 0);
    machine.cpu.setEvents({ ...events, interrupt: { ...events.interrupt, shadow: 1 } });
    assert.equal(machine.cpu.getEvents().interrupt.shadow & 1, 1);
    const moved = moveToNewMachine(t, machine, options);
    assert.equal(moved.cpu.getEvents().interrupt.shadow & 1, 1);
    assert.deepEqual(moved.finish(), [READY]);
    assert.equal(moved.cpu.getEvents().interrupt.shadow, 0);
  },
};

/** Those that move a guest. */
export const eventMoveCases: readonly ConformanceCase[] = [injectedMoves, pendingNmi, shadow];

export const eventCases: readonly ConformanceCase[] = [
  injected,
  pendingPayload,
  maskedNmi,
  ...eventMoveCases,
];
