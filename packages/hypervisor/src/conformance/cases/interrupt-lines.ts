/** Interrupt lines through the in-kernel 8259As and the I/O APIC: delivery, masks, edges and levels. */
import assert from 'node:assert/strict';
import { type Assembler, al, dword, dx, eax, ecx, edx } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import {
  delay,
  done,
  enableLapic,
  haltForEver,
  IOAPIC_LEVEL,
  IOAPIC_MASKED,
  initPics,
  lapicEoi,
  outByte,
  PIC_MASTER,
  PIC_MASTER_BASE,
  PIC_SLAVE,
  PIC_SLAVE_BASE,
  picEoi,
  report,
  reportEax,
  routeIoapicPin,
} from '../guest-code.ts';
import { IOAPIC } from '../guest-layout.ts';
import type { Machine, MachineOptions } from '../machine.ts';

const NEEDS = ['in-kernel-interrupt-controllers'] as const;
const IN_KERNEL = { interruptControllers: 'in-kernel' } as const;

const READY = 1;
const HANDLED = 0x100;
const VECTOR = 0x45;
/** Only the I/O APIC has it. */
const PIN = 20;
const ELCR_MASTER = 0x4d0;

function pulse(machine: Machine, gsi: number): void {
  machine.vm.setIrqLine(gsi, true);
  machine.vm.setIrqLine(gsi, false);
}

/** A guest that sets up, says READY and waits, halted, for `handler` to end it. */
function waiting(
  setUp: (a: Assembler) => void,
  handler: (a: Assembler) => void,
  vector = VECTOR,
): MachineOptions {
  return {
    ...IN_KERNEL,
    code(a) {
      enableLapic(a);
      setUp(a);
      a.sti();
      report(a, READY);
      haltForEver(a);
      a.label('handler');
      handler(a);
    },
    vectors: { [vector]: 'handler' },
  };
}

/** Runs a machine, doing something at the first report. */
function whenReady(machine: Machine, act: () => void): number[] {
  return machine.finish({ onReport: (value) => value === READY && act() });
}

const picDelivery: ConformanceCase = {
  name: 'a line through the PIC interrupts at the vector that the PIC was given',
  needs: NEEDS,
  run(t) {
    const machine = t.machine(
      waiting(
        (a) => initPics(a, ~(1 << 4) & 0xff),
        (a) => [report(a, HANDLED), picEoi(a), done(a)],
        PIC_MASTER_BASE + 4,
      ),
    );
    assert.deepEqual(
      whenReady(machine, () => pulse(machine, 4)),
      [READY, HANDLED],
    );
  },
};

const picCascade: ConformanceCase = {
  name: 'a line of the second PIC comes in through the cascade',
  needs: NEEDS,
  run(t) {
    const machine = t.machine(
      waiting(
        (a) => initPics(a, ~(1 << 2) & 0xff, ~(1 << 3) & 0xff),
        (a) => [report(a, HANDLED), picEoi(a, PIC_SLAVE), picEoi(a), done(a)],
        PIC_SLAVE_BASE + 3,
      ),
    );
    assert.deepEqual(
      whenReady(machine, () => pulse(machine, 11)),
      [READY, HANDLED],
    );
  },
};

/** Masked, the guest says so and runs on; unmasked, the interrupt is there. */
function maskedThen(
  name: string,
  setUp: (a: Assembler) => void,
  unmask: (a: Assembler) => void,
  eoi: (a: Assembler) => void,
  vector: number,
  gsi: number,
): ConformanceCase {
  return {
    name,
    needs: NEEDS,
    run(t) {
      const machine = t.machine({
        ...IN_KERNEL,
        code(a) {
          enableLapic(a);
          setUp(a);
          report(a, READY);
          delay(a, 1000, ecx);
          report(a, READY + 1);
          unmask(a);
          haltForEver(a);
          a.label('handler');
          report(a, HANDLED);
          eoi(a);
          done(a);
        },
        vectors: { [vector]: 'handler' },
      });
      assert.deepEqual(
        whenReady(machine, () => machine.vm.setIrqLine(gsi, true)),
        [READY, READY + 1, HANDLED],
      );
    },
  };
}

const maskedCases = [
  maskedThen(
    'an interrupt waits while IF is clear',
    (a) => [initPics(a, ~(1 << 4) & 0xff), a.cli()],
    (a) => a.sti(),
    picEoi,
    PIC_MASTER_BASE + 4,
    4,
  ),
  maskedThen(
    'an edge at a masked PIC input waits for the mask to go',
    (a) => [initPics(a, 0xff), a.sti()],
    (a) => outByte(a, PIC_MASTER + 1, ~(1 << 4) & 0xff),
    picEoi,
    PIC_MASTER_BASE + 4,
    4,
  ),
  maskedThen(
    'a level at a masked I/O APIC pin waits for the mask to go',
    (a) => [routeIoapicPin(a, PIN, VECTOR | IOAPIC_LEVEL | IOAPIC_MASKED), a.sti()],
    (a) => routeIoapicPin(a, PIN, VECTOR | IOAPIC_LEVEL),
    lapicEoi,
    VECTOR,
    PIN,
  ),
];

const ioapicDelivery: ConformanceCase = {
  name: 'a line through the I/O APIC interrupts at the vector of its pin',
  needs: NEEDS,
  run(t) {
    const machine = t.machine(
      waiting(
        (a) => routeIoapicPin(a, PIN, VECTOR),
        (a) => [report(a, HANDLED), lapicEoi(a), done(a)],
      ),
    );
    assert.deepEqual(
      whenReady(machine, () => pulse(machine, PIN)),
      [READY, HANDLED],
    );
  },
};

/** After each interrupt the guest runs on for a while and says how often it was interrupted. */
function countingGuest(low: number): MachineOptions {
  return {
    ...IN_KERNEL,
    code(a) {
      enableLapic(a);
      routeIoapicPin(a, PIN, low);
      a.sti();
      report(a, READY);
      delay(a, 1000, ecx);
      report(a, READY + 1);
      delay(a, 1000, ecx);
      done(a);
      a.label('handler');
      report(a, HANDLED);
      lapicEoi(a);
      a.iret();
    },
    vectors: { [VECTOR]: 'handler' },
  };
}

const edgeOnce: ConformanceCase = {
  name: 'an edge-triggered line that stays high interrupts once; the next edge interrupts again',
  needs: NEEDS,
  run(t) {
    const machine = t.machine(countingGuest(VECTOR));
    const reports = machine.finish({
      onReport(value) {
        if (value === READY) machine.vm.setIrqLine(PIN, true);
        if (value !== READY + 1) return;
        machine.vm.setIrqLine(PIN, false);
        machine.vm.setIrqLine(PIN, true);
      },
    });
    assert.deepEqual(reports, [READY, HANDLED, READY + 1, HANDLED]);
  },
};

const levelAgain: ConformanceCase = {
  name: 'a level-triggered line interrupts again after each EOI until it is low',
  needs: NEEDS,
  run(t) {
    const machine = t.machine(countingGuest(VECTOR | IOAPIC_LEVEL));
    const reports = machine.finish({
      onReport(value, all) {
        if (value === READY) machine.vm.setIrqLine(PIN, true);
        if (all.length === 4) machine.vm.setIrqLine(PIN, false);
      },
    });
    assert.deepEqual(reports, [READY, HANDLED, HANDLED, HANDLED, READY + 1]);
  },
};

const picLevelAgain: ConformanceCase = {
  name: 'a level-triggered PIC input interrupts again after each EOI until it is low',
  needs: NEEDS,
  run(t) {
    const machine = t.machine({
      ...IN_KERNEL,
      code(a) {
        enableLapic(a);
        initPics(a, ~(1 << 5) & 0xff);
        a.mov(edx, ELCR_MASTER);
        a.mov(al, 1 << 5);
        a.out(dx, al);
        a.sti();
        report(a, READY);
        delay(a, 1000, ecx);
        done(a);
        a.label('handler');
        report(a, HANDLED);
        picEoi(a);
        a.iret();
      },
      vectors: { [PIC_MASTER_BASE + 5]: 'handler' },
    });
    const reports = machine.finish({
      onReport(value, all) {
        if (value === READY) machine.vm.setIrqLine(5, true);
        if (all.length === 3) machine.vm.setIrqLine(5, false);
      },
    });
    assert.deepEqual(reports, [READY, HANDLED, HANDLED]);
  },
};

const REMOTE_IRR = 1 << 14;

const remoteIrr: ConformanceCase = {
  name: 'the remote IRR bit is set from a level interrupt to its EOI',
  needs: NEEDS,
  run(t) {
    const readEntry = (a: Assembler) => {
      a.mov(dword(IOAPIC), 0x10 + 2 * PIN);
      a.mov(eax, dword(IOAPIC + 0x10));
      a.and(eax, REMOTE_IRR);
      reportEax(a);
    };
    const machine = t.machine(
      waiting(
        (a) => routeIoapicPin(a, PIN, VECTOR | IOAPIC_LEVEL),
        (a) => [readEntry(a), lapicEoi(a), readEntry(a), done(a)],
      ),
    );
    const reports = machine.finish({
      onReport(value) {
        if (value === READY) machine.vm.setIrqLine(PIN, true);
        else machine.vm.setIrqLine(PIN, false);
      },
    });
    assert.deepEqual(reports, [READY, REMOTE_IRR, 0]);
  },
};

const picPriority: ConformanceCase = {
  name: 'of two PIC inputs the lower number comes first, the other after EOI',
  needs: NEEDS,
  run(t) {
    const machine = t.machine({
      ...IN_KERNEL,
      code(a) {
        enableLapic(a);
        initPics(a, 0b10010111);
        report(a, READY);
        a.sti();
        haltForEver(a);
        a.label('irq 3');
        report(a, 3);
        a.sti();
        delay(a, 100, ecx); // the higher number waits: this one is in service
        report(a, 4);
        picEoi(a);
        a.iret();
        a.label('irq 5');
        report(a, 5);
        picEoi(a);
        done(a);
      },
      vectors: { [PIC_MASTER_BASE + 3]: 'irq 3', [PIC_MASTER_BASE + 5]: 'irq 5' },
    });
    const reports = whenReady(machine, () => {
      pulse(machine, 5);
      pulse(machine, 3);
    });
    assert.deepEqual(reports, [READY, 3, 4, 5]);
  },
};

const PIT_CHANNEL_0 = 0x40;
const PIT_COMMAND = 0x43;

const pitTicks: ConformanceCase = {
  name: 'the PIT interrupts through the PIC, again and again',
  needs: NEEDS,
  run(t) {
    const ticks = 3;
    const machine = t.machine({
      ...IN_KERNEL,
      code(a) {
        enableLapic(a);
        initPics(a, 0xfe);
        outByte(a, PIT_COMMAND, 0x34); // channel 0, low then high byte, mode 2: rate generator
        outByte(a, PIT_CHANNEL_0, 0x00);
        outByte(a, PIT_CHANNEL_0, 0x10); // 4096 of 1,193,182 Hz: 3.4 ms
        a.mov(ecx, ticks);
        a.sti();
        haltForEver(a);
        a.label('tick');
        report(a, HANDLED);
        picEoi(a);
        a.dec(ecx);
        a.jcc('e', 'end');
        a.iret();
        a.label('end');
        done(a);
      },
      vectors: { [PIC_MASTER_BASE]: 'tick' },
    });
    assert.deepEqual(machine.finish(), Array(ticks).fill(HANDLED));
  },
};

export const interruptLineCases: readonly ConformanceCase[] = [
  picDelivery,
  picCascade,
  picPriority,
  picLevelAgain,
  ioapicDelivery,
  ...maskedCases,
  edgeOnce,
  levelAgain,
  remoteIrr,
  pitTicks,
];
