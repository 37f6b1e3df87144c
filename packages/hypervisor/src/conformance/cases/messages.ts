/** Message-signalled interrupts, GSI routing, the local APIC's priorities and timer, IPIs to oneself. */
import assert from 'node:assert/strict';
import type { Msi } from '../../interrupts.ts';
import { type Assembler, al, cr8, dword, eax, ecx, edx, qword, rax, rdx } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import {
  APIC_CURRENT_COUNT,
  APIC_DIVIDE,
  APIC_ICR_LOW,
  APIC_ID,
  APIC_INITIAL_COUNT,
  APIC_IRR,
  APIC_ISR,
  APIC_LVT_TIMER,
  APIC_TPR,
  delay,
  done,
  enableLapic,
  haltForEver,
  lapicEoi,
  report,
  reportEax,
  routeIoapicPin,
} from '../guest-code.ts';
import { DATA } from '../guest-layout.ts';
import type { Machine, MachineOptions } from '../machine.ts';

const NEEDS = ['in-kernel-interrupt-controllers'] as const;
const IN_KERNEL = { interruptControllers: 'in-kernel' } as const;
const READY = 1;
const VECTOR = 0x51;
const NMI_DELIVERY = 0x400;

export function msi(vector: number, apicId = 0, bits = 0): Msi {
  return { address: 0xfee00000n | (BigInt(apicId) << 12n), data: vector | bits };
}

/** Handlers that report their vector and return. */
function reportingHandlers(a: Assembler, vectors: readonly number[]): void {
  for (const vector of vectors) {
    a.label(`vector ${vector}`);
    a.push(rax);
    report(a, vector);
    lapicEoi(a);
    a.pop(rax);
    a.iret();
  }
}

function gates(vectors: readonly number[]): Record<number, string> {
  return Object.fromEntries(vectors.map((vector) => [vector, `vector ${vector}`]));
}

/** A guest with reporting handlers: `body` runs with the local APIC enabled and IF clear, then the guest ends. */
function guest(vectors: readonly number[], body: (a: Assembler) => void): MachineOptions {
  return {
    ...IN_KERNEL,
    code(a) {
      enableLapic(a);
      body(a);
      done(a);
      reportingHandlers(a, vectors);
    },
    vectors: gates(vectors),
  };
}

function whenReady(machine: Machine, act: () => void): number[] {
  return machine.finish({ onReport: (value) => value === READY && act() });
}

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

const taskPriority: ConformanceCase = {
  name: 'the task priority holds back vectors of its class and below, through CR8 and through the APIC page',
  needs: NEEDS,
  run(t) {
    const vectors = [0x35, 0x45, 0x55];
    const machine = t.machine(
      guest(vectors, (a) => {
        a.mov(dword(APIC_TPR), 0x40);
        a.mov(rax, cr8);
        reportEax(a); // 4
        a.sti();
        report(a, READY);
        delay(a, 100, ecx);
        report(a, READY + 1);
        a.mov(eax, 3);
        a.mov(cr8, rax);
        delay(a, 100, ecx);
        a.mov(eax, dword(APIC_TPR));
        reportEax(a); // 0x30
        a.mov(dword(APIC_TPR), 0);
        delay(a, 100, ecx);
      }),
    );
    const reports = whenReady(machine, () => {
      for (const vector of vectors) machine.vm.signalMsi(msi(vector));
    });
    assert.deepEqual(reports, [4, READY, 0x55, READY + 1, 0x45, 0x30, 0x35]);
  },
};

const highestFirst: ConformanceCase = {
  name: 'of several pending vectors the highest comes first; the IRR shows the others',
  needs: NEEDS,
  run(t) {
    const vectors = [0x40, 0x71, 0x60];
    const machine = t.machine(
      guest(vectors, (a) => {
        report(a, READY);
        a.mov(eax, dword(APIC_IRR + 0x20)); // vectors 40h to 5Fh
        reportEax(a);
        a.sti();
        delay(a, 100, ecx);
      }),
    );
    const reports = whenReady(machine, () => {
      for (const vector of vectors) machine.vm.signalMsi(msi(vector));
    });
    assert.deepEqual(reports, [READY, 1, 0x71, 0x60, 0x40]);
  },
};

const nesting: ConformanceCase = {
  name: 'a higher vector interrupts a handler, one of the same class waits for its EOI',
  needs: NEEDS,
  run(t) {
    const machine = t.machine({
      ...IN_KERNEL,
      code(a) {
        enableLapic(a);
        a.sti();
        report(a, READY);
        haltForEver(a);
        a.label('middle');
        report(a, 0x50);
        a.mov(eax, dword(APIC_ISR + 0x20)); // 50h is bit 16 of the third word
        reportEax(a);
        a.sti();
        delay(a, 100, ecx);
        report(a, READY + 1);
        lapicEoi(a);
        haltForEver(a);
        reportingHandlers(a, [0x62]);
        a.label('same class');
        report(a, 0x51);
        done(a);
      },
      vectors: { ...gates([0x62]), 80: 'middle', 81: 'same class' },
    });
    const reports = machine.finish({
      onReport(value) {
        if (value === READY) machine.vm.signalMsi(msi(0x50));
        if (value !== 0x50) return;
        machine.vm.signalMsi(msi(0x51));
        machine.vm.signalMsi(msi(0x62));
      },
    });
    assert.deepEqual(reports, [READY, 0x50, 1 << 16, 0x62, READY + 1, 0x51]);
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

const selfIpi: ConformanceCase = {
  name: 'an IPI to oneself, by the shorthand',
  needs: NEEDS,
  run(t) {
    const machine = t.machine(
      guest([VECTOR], (a) => {
        a.sti();
        a.mov(dword(APIC_ICR_LOW), 0x40000 | VECTOR);
        delay(a, 100, ecx);
        a.mov(eax, dword(APIC_ID));
        reportEax(a);
      }),
    );
    assert.deepEqual(machine.finish(), [VECTOR, 0]);
  },
};

const LVT_PERIODIC = 1 << 17;
const LVT_TSC_DEADLINE = 1 << 18;
const LVT_MASKED = 1 << 16;
const TSC_DEADLINE_MSR = 0x6e0;
const DIVIDE_BY_1 = 0xb;

function startTimer(a: Assembler, lvt: number, count: number): void {
  a.mov(dword(APIC_DIVIDE), DIVIDE_BY_1);
  a.mov(dword(APIC_LVT_TIMER), lvt);
  a.mov(dword(APIC_INITIAL_COUNT), count);
}

const oneShot: ConformanceCase = {
  name: 'the APIC timer fires once, and wakes a halted vCPU',
  needs: NEEDS,
  run(t) {
    const machine = t.machine(
      guest([VECTOR], (a) => {
        startTimer(a, VECTOR, 1_000_000);
        a.sti();
        a.hlt();
        a.mov(eax, dword(APIC_CURRENT_COUNT));
        reportEax(a);
        delay(a, 10_000, ecx);
      }),
    );
    assert.deepEqual(machine.finish(), [VECTOR, 0]);
  },
};

const periodic: ConformanceCase = {
  name: 'the APIC timer fires periodically, and its count goes down',
  needs: NEEDS,
  run(t) {
    const machine = t.machine({
      ...IN_KERNEL,
      code(a) {
        enableLapic(a);
        a.mov(edx, 3);
        startTimer(a, VECTOR | LVT_PERIODIC, 20_000_000);
        a.sti();
        a.label('wait');
        a.hlt();
        a.dec(edx);
        a.jcc('ne', 'wait');
        a.mov(dword(APIC_LVT_TIMER), LVT_MASKED | LVT_PERIODIC);
        a.mov(eax, dword(APIC_CURRENT_COUNT));
        a.cmp(eax, 20_000_000);
        a.setcc('be', al);
        a.movzx(eax, al);
        reportEax(a);
        done(a);
        reportingHandlers(a, [VECTOR]);
      },
      vectors: gates([VECTOR]),
    });
    const reports = machine.finish();
    // On a slow host further ticks may come before the guest masks the timer.
    assert.ok(reports.length >= 4, String(reports));
    assert.deepEqual(reports.slice(0, -1), Array(reports.length - 1).fill(VECTOR));
    assert.equal(reports.at(-1), 1);
  },
};

const maskedTimer: ConformanceCase = {
  name: 'a masked APIC timer counts and does not interrupt',
  needs: NEEDS,
  run(t) {
    const machine = t.machine(
      guest([VECTOR], (a) => {
        startTimer(a, VECTOR | LVT_MASKED, 1000);
        a.sti();
        a.label('wait');
        a.pause();
        a.cmp(dword(APIC_CURRENT_COUNT), 0);
        a.jcc('ne', 'wait');
        report(a, READY);
      }),
    );
    assert.deepEqual(machine.finish(), [READY]);
  },
};

const TSC_DEADLINE_CPUID = 1 << 24;

const tscDeadline: ConformanceCase = {
  name: 'the TSC deadline timer fires at or after its deadline, and clears it',
  needs: ['in-kernel-interrupt-controllers', 'tsc-deadline'],
  run(t) {
    const machine = t.machine({
      ...guest([VECTOR], (a) => {
        a.mov(dword(APIC_LVT_TIMER), VECTOR | LVT_TSC_DEADLINE);
        a.rdtsc();
        a.shl(rdx, 32);
        a.or(rax, rdx);
        a.add(rax, 2_000_000);
        a.mov(qword(DATA), rax);
        a.mov(rdx, rax);
        a.shr(rdx, 32);
        a.mov(ecx, TSC_DEADLINE_MSR);
        a.wrmsr();
        a.sti();
        a.hlt();
        a.rdtsc();
        a.shl(rdx, 32);
        a.or(rax, rdx);
        a.cmp(rax, qword(DATA));
        a.setcc('ae', al);
        a.movzx(eax, al);
        reportEax(a);
        a.rdmsr();
        a.or(eax, edx);
        reportEax(a);
      }),
      cpuid: (entries) =>
        entries.map((it) => (it.leaf === 1 ? { ...it, ecx: (it.ecx | TSC_DEADLINE_CPUID) >>> 0 } : it)),
    });
    assert.deepEqual(machine.finish(), [VECTOR, 1, 0]);
  },
};

const APIC_BASE_MSR = 0x1b;
const X2APIC_ENABLE = 0xc00;

const x2apic: ConformanceCase = {
  name: 'x2APIC mode: registers as MSRs, an IPI to oneself, EOI',
  needs: ['in-kernel-interrupt-controllers', 'x2apic'],
  run(t) {
    const machine = t.machine({
      ...IN_KERNEL,
      code(a) {
        a.mov(ecx, APIC_BASE_MSR);
        a.rdmsr();
        a.or(eax, X2APIC_ENABLE);
        a.wrmsr();
        for (const [msr, value] of [
          [0x80f, 0x1ff], // spurious vector, software enable
          [0x83f, VECTOR], // self IPI
        ] as const) {
          a.mov(ecx, msr);
          a.mov(eax, value);
          a.mov(edx, 0);
          a.wrmsr();
        }
        a.sti();
        delay(a, 100, ecx);
        report(a, 0xbad);
        a.label('handler');
        report(a, VECTOR);
        a.mov(ecx, 0x802); // APIC id, 32 bits
        a.rdmsr();
        reportEax(a);
        a.mov(ecx, 0x80b); // EOI
        a.mov(eax, 0);
        a.mov(edx, 0);
        a.wrmsr();
        done(a);
      },
      vectors: { [VECTOR]: 'handler' },
    });
    assert.deepEqual(machine.finish(), [VECTOR, 0]);
  },
};

export const messageCases: readonly ConformanceCase[] = [
  delivery,
  fromVcpuThread,
  blocked,
  routed,
  rerouted,
  nmiMessage,
  selfIpi,
  x2apic,
];

export const lapicCases: readonly ConformanceCase[] = [
  taskPriority,
  highestFirst,
  nesting,
  oneShot,
  periodic,
  maskedTimer,
  tscDeadline,
];
