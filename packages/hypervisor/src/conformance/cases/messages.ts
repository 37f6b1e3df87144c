/** Message-signalled interrupts and GSI routing. */
import assert from 'node:assert/strict';
import { ecx } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { delay, done, enableLapic, report, routeIoapicPin } from '../guest-code.ts';
import {
  gates,
  guest,
  IN_KERNEL,
  msi,
  NEEDS,
  READY,
  reportingHandlers,
  whenReady,
} from './interrupt-guest.ts';

const VECTOR = 0x51;

const NMI_DELIVERY = 0x400;

const delivery: ConformanceCase = {
  name: 'an MSI interrupts at its vector, and signalMsi says it was taken',
  needs: NEEDS,
  run(t) {
    const machine = t.machine(guest([VECTOR], (a) => [a.sti(), report(a, READY), delay(a, 100, ecx)]));
    let taken = false;
    const reports = whenReady(machine, () => {
      taken = machine.vm.signalMsi(msi(VECTOR));
    });
    assert.deepEqual(reports, [READY, VECTOR]);
    assert.equal(taken, true);
  },
};

const fromVcpuThread: ConformanceCase = {
  name: "an MSI and a line through the vCPU's own sink",
  needs: NEEDS,
  run(t) {
    const machine = t.machine(
      guest([VECTOR, VECTOR + 16], (a) => {
        routeIoapicPin(a, 21, VECTOR + 16);
        a.sti();
        report(a, READY);
        delay(a, 100, ecx);
      }),
    );
    const reports = whenReady(machine, () => {
      assert.equal(machine.cpu.interrupts.signalMsi(msi(VECTOR)), true);
      machine.cpu.interrupts.setIrqLine(21, true);
      machine.cpu.interrupts.setIrqLine(21, false);
    });
    assert.deepEqual(reports, [READY, VECTOR + 16, VECTOR]);
  },
};

const blocked: ConformanceCase = {
  name: 'signalMsi says when the guest blocks a message: local APIC disabled, no such APIC id',
  needs: NEEDS,
  run(t) {
    const machine = t.machine({
      ...IN_KERNEL,
      code(a) {
        a.sti();
        report(a, READY);
        enableLapic(a);
        report(a, READY + 1);
        delay(a, 100, ecx);
        done(a);
        reportingHandlers(a, [VECTOR]);
      },
      vectors: gates([VECTOR]),
    });
    const taken: boolean[] = [];
    const reports = machine.finish({
      onReport(value) {
        if (value === VECTOR) return;
        taken.push(machine.vm.signalMsi(msi(VECTOR)), machine.vm.signalMsi(msi(VECTOR, 77)));
      },
    });
    assert.deepEqual(taken, [false, false, true, false]);
    assert.deepEqual(reports, [READY, READY + 1, VECTOR]);
  },
};

const routed: ConformanceCase = {
  name: 'a GSI that is routed to an MSI sends it at a rising edge, with the table that was set last',
  needs: NEEDS,
  run(t) {
    const vectors = [VECTOR, VECTOR + 16];
    const machine = t.machine(
      guest(vectors, (a) => {
        a.sti();
        for (const i of [0, 1, 2]) {
          report(a, READY + i);
          delay(a, 100, ecx);
        }
      }),
    );
    const gsi = 30;
    const route = (vector: number) => machine.vm.setGsiRouting([{ kind: 'msi', gsi, msi: msi(vector) }]);
    const reports = machine.finish({
      onReport(value) {
        if (value > READY + 2) return;
        if (value < READY + 2) route(vectors[value - READY]!);
        machine.vm.setIrqLine(gsi, true);
        machine.vm.setIrqLine(gsi, false);
      },
    });
    assert.deepEqual(reports, [READY, vectors[0], READY + 1, vectors[1], READY + 2, vectors[1]]);
  },
};

const rerouted: ConformanceCase = {
  name: 'a new routing table moves a GSI from one I/O APIC pin to another, and drops the others',
  needs: NEEDS,
  run(t) {
    const vectors = [VECTOR, VECTOR + 16];
    const machine = t.machine(
      guest(vectors, (a) => {
        routeIoapicPin(a, 20, vectors[0]!);
        routeIoapicPin(a, 22, vectors[1]!);
        a.sti();
        report(a, READY);
        delay(a, 100, ecx);
        report(a, READY + 1);
        delay(a, 100, ecx);
      }),
    );
    const pulse = (gsi: number) => {
      machine.vm.setIrqLine(gsi, true);
      machine.vm.setIrqLine(gsi, false);
    };
    const reports = machine.finish({
      onReport(value) {
        if (value === READY) pulse(20);
        if (value !== READY + 1) return;
        machine.vm.setGsiRouting([{ kind: 'irqchip', gsi: 20, chip: 'ioapic', pin: 22 }]);
        pulse(20);
        pulse(22); // no route now
      },
    });
    assert.deepEqual(reports, [READY, vectors[0], READY + 1, vectors[1]]);
  },
};

const nmiMessage: ConformanceCase = {
  name: 'an MSI of delivery mode NMI is an NMI, whatever IF says',
  needs: NEEDS,
  run(t) {
    const machine = t.machine({
      ...IN_KERNEL,
      code(a) {
        enableLapic(a);
        a.cli();
        report(a, READY);
        delay(a, 100, ecx);
        report(a, 0xbad);
        a.label('nmi');
        report(a, 2);
        done(a);
      },
      vectors: { 2: 'nmi' },
    });
    const reports = whenReady(machine, () => machine.vm.signalMsi(msi(0, 0, NMI_DELIVERY)));
    assert.deepEqual(reports, [READY, 2]);
  },
};

export const messageCases: readonly ConformanceCase[] = [
  delivery,
  fromVcpuThread,
  blocked,
  routed,
  rerouted,
  nmiMessage,
];
