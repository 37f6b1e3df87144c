/** The local APIC: priorities, its timer, IPIs to oneself, x2APIC mode (Intel SDM Vol. 3A chapter 10). */
import assert from 'node:assert/strict';
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
} from '../guest-code.ts';
import { DATA } from '../guest-layout.ts';
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

const VECTOR = 0x51;
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
    const machine = t.machine({
      ...IN_KERNEL,
      code(a) {
        enableLapic(a);
        startTimer(a, VECTOR, 1_000_000);
        a.sti();
        haltForEver(a);
        a.label('timer');
        report(a, VECTOR);
        lapicEoi(a);
        a.mov(eax, dword(APIC_CURRENT_COUNT));
        reportEax(a);
        a.sti();
        delay(a, 10_000, ecx);
        done(a);
      },
      vectors: { [VECTOR]: 'timer' },
    });
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

/** RAX ← TSC. */
function readTsc(a: Assembler): void {
  a.rdtsc();
  a.shl(rdx, 32);
  a.or(rax, rdx);
}

const tscDeadline: ConformanceCase = {
  name: 'the TSC deadline timer fires at or after its deadline, and clears it',
  needs: ['in-kernel-interrupt-controllers', 'tsc-deadline'],
  run(t) {
    const machine = t.machine({
      ...IN_KERNEL,
      code(a) {
        enableLapic(a);
        a.mov(dword(APIC_LVT_TIMER), VECTOR | LVT_TSC_DEADLINE);
        readTsc(a);
        a.add(rax, 2_000_000);
        a.mov(qword(DATA), rax);
        a.mov(rdx, rax);
        a.shr(rdx, 32);
        a.mov(ecx, TSC_DEADLINE_MSR);
        a.wrmsr();
        a.sti();
        haltForEver(a);
        a.label('timer');
        readTsc(a);
        a.cmp(rax, qword(DATA));
        a.setcc('ae', al);
        a.movzx(eax, al);
        reportEax(a);
        a.rdmsr();
        a.or(eax, edx);
        reportEax(a);
        done(a);
      },
      vectors: { [VECTOR]: 'timer' },
      cpuid: (entries) =>
        entries.map((it) => (it.leaf === 1 ? { ...it, ecx: (it.ecx | TSC_DEADLINE_CPUID) >>> 0 } : it)),
    });
    assert.deepEqual(machine.finish(), [1, 0]);
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

export const lapicCases: readonly ConformanceCase[] = [
  selfIpi,
  x2apic,
  taskPriority,
  highestFirst,
  nesting,
  oneShot,
  periodic,
  maskedTimer,
  tscDeadline,
];
