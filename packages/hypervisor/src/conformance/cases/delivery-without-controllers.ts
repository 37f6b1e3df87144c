/** Interrupts, NMIs and HLT on a VM without in-kernel controllers: the host delivers. */
import assert from 'node:assert/strict';
import { type Assembler, eax, ecx, rax } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { delay, done, report } from '../guest-code.ts';
import type { GuestMode } from '../guest-layout.ts';
import type { MachineOptions } from '../machine.ts';

const VECTOR = 0x33;
const READY = 1;

/** A handler that reports its vector and returns. */
function handler(a: Assembler, name: string, value: number): void {
  a.label(name);
  if (a.codeBits === 64) a.push(rax);
  else a.push(eax);
  report(a, value);
  if (a.codeBits === 64) a.pop(rax);
  else a.pop(eax);
  a.iret();
}

function haltingGuest(mode: GuestMode): MachineOptions {
  return {
    mode,
    code(a) {
      a.sti();
      a.hlt();
      report(a, READY);
      done(a);
      handler(a, 'handler', VECTOR);
    },
    vectors: { [VECTOR]: 'handler' },
  };
}

const wakes = (['real', 'protected', 'long'] as const).map((mode): ConformanceCase => {
  return {
    name: `HLT in ${mode} mode is an exit, and an injected interrupt goes on after it`,
    run(t) {
      const machine = t.machine(haltingGuest(mode));
      machine.expect('hlt');
      machine.cpu.injectInterrupt(VECTOR);
      assert.deepEqual(machine.finish(), [VECTOR, READY]);
    },
  };
});

const masked: ConformanceCase = {
  name: "'interrupt-window' comes when the guest sets IF, after the instruction that follows STI",
  run(t) {
    const machine = t.machine({
      code(a) {
        a.cli();
        report(a, READY);
        delay(a, 100, ecx);
        report(a, READY + 1);
        a.sti();
        report(a, READY + 2); // MOV is in STI's shadow
        a.label('open');
        delay(a, 100, ecx);
        done(a);
        handler(a, 'handler', VECTOR);
      },
      vectors: { [VECTOR]: 'handler' },
    });
    machine.cpu.requestInterruptWindow(true);
    let windows = 0;
    const reports = machine.finish({
      serve(exit) {
        if (exit.kind !== 'interrupt-window') return false;
        windows++;
        machine.cpu.requestInterruptWindow(false);
        machine.cpu.injectInterrupt(VECTOR);
        return true;
      },
    });
    assert.equal(windows, 1);
    assert.deepEqual(reports, [READY, READY + 1, VECTOR, READY + 2]);
  },
};

const openWindow: ConformanceCase = {
  name: "'interrupt-window' comes at once while IF is set, and stops when no longer asked for",
  run(t) {
    const machine = t.machine({
      code(a) {
        a.sti();
        a.nop();
        report(a, READY);
        delay(a, 100, ecx);
        report(a, READY + 1);
        done(a);
      },
    });
    machine.expectIo('out', 0xf0);
    machine.cpu.requestInterruptWindow(true);
    machine.expect('interrupt-window');
    machine.cpu.requestInterruptWindow(false);
    assert.deepEqual(machine.finish(), [READY + 1]);
  },
};

const nmi: ConformanceCase = {
  name: 'an NMI is taken whatever IF says',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.cli();
        report(a, READY);
        delay(a, 10, ecx);
        done(a);
        handler(a, 'nmi', 2);
      },
      vectors: { 2: 'nmi' },
    });
    const reports = machine.finish({ onReport: (value) => value === READY && machine.cpu.injectNmi() });
    assert.deepEqual(reports, [READY, 2]);
  },
};

const nmiMasked: ConformanceCase = {
  name: 'a second NMI waits until the handler of the first executes IRET',
  run(t) {
    const machine = t.machine({
      code(a) {
        report(a, READY);
        delay(a, 10, ecx);
        done(a);
        a.label('nmi');
        a.push(rax);
        report(a, 2);
        delay(a, 100, ecx);
        report(a, 3);
        a.pop(rax);
        a.iret();
      },
      vectors: { 2: 'nmi' },
    });
    const reports = machine.finish({
      // The second one arrives inside the first's handler.
      onReport(value, all) {
        if (value === READY || (value === 2 && all.length === 2)) machine.cpu.injectNmi();
      },
    });
    assert.deepEqual(reports, [READY, 2, 3, 2, 3]);
  },
};

const nmiWakes: ConformanceCase = {
  name: 'an NMI wakes a guest halted with IF clear',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.cli();
        a.hlt();
        report(a, READY);
        done(a);
        handler(a, 'nmi', 2);
      },
      vectors: { 2: 'nmi' },
    });
    machine.expect('hlt');
    machine.cpu.injectNmi();
    assert.deepEqual(machine.finish(), [2, READY]);
  },
};

export const deliveryWithoutControllersCases: readonly ConformanceCase[] = [
  ...wakes,
  masked,
  openWindow,
  nmi,
  nmiMasked,
  nmiWakes,
];
