/** Save and restore on a VM with in-kernel controllers: what is pending, masked, counting or halted moves along. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { interruptControllerStateFormat } from '../../state-json.ts';
import { type Assembler, dword, ecx, rax } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { exitValue } from '../exit-data.ts';
import {
  APIC_DIVIDE,
  APIC_INITIAL_COUNT,
  APIC_LVT_TIMER,
  delay,
  done,
  enableLapic,
  IOAPIC_LEVEL,
  initPics,
  lapicEoi,
  PIC_MASTER_BASE,
  picEoi,
  report,
  routeIoapicPin,
} from '../guest-code.ts';
import { CODE, REPORT_PORT } from '../guest-layout.ts';
import type { Machine, MachineOptions } from '../machine.ts';
import { msi } from './interrupt-guest.ts';
import { compareMoved, moveAllButVcpus, moveToNewMachine, type Scenario, throughJson } from './moves.ts';

const NEEDS = ['in-kernel-interrupt-controllers'] as const;
const VECTOR = 0x55;
const PIN = 18;
const READY = 1;

function guest(setUp: (a: Assembler) => void, rest: (a: Assembler) => void, eoi = lapicEoi): MachineOptions {
  return {
    interruptControllers: 'in-kernel',
    code(a) {
      enableLapic(a);
      setUp(a);
      report(a, READY);
      rest(a);
      done(a);
      a.label('handler');
      a.push(rax);
      report(a, VECTOR);
      eoi(a);
      a.pop(rax);
      a.iret();
    },
    vectors: { [VECTOR]: 'handler', [PIC_MASTER_BASE + 4]: 'handler' },
  };
}

const atReady: Scenario['stopAt'] = (exit) =>
  exit.kind === 'io' && exit.port === REPORT_PORT && exitValue(exit) === BigInt(READY);

function openForAWhile(a: Assembler): void {
  a.sti();
  delay(a, 200, ecx);
  a.cli();
}

/** The interrupt is raised before the move, and taken after it. */
function raisedBefore(
  name: string,
  options: MachineOptions,
  raise: (machine: Machine) => void,
): ConformanceCase {
  return {
    name,
    needs: NEEDS,
    run(t) {
      const first = t.machine(options);
      assert.equal(exitValue(first.expectIo('out', REPORT_PORT)), BigInt(READY));
      raise(first);
      first.cpu.completeExit();
      const second = moveToNewMachine(t, first, options);
      assert.deepEqual(second.finish(), [VECTOR]);
    },
  };
}

const pendingMessage = raisedBefore(
  'an MSI that waits for IF is delivered after the move',
  guest(() => {}, openForAWhile),
  (machine) => machine.vm.signalMsi(msi(VECTOR)),
);

const pendingEdge = raisedBefore(
  'an edge that waits in the PIC is delivered after the move',
  guest((a) => initPics(a, ~(1 << 4) & 0xff), openForAWhile, picEoi),
  (machine) => {
    machine.vm.setIrqLine(4, true);
    machine.vm.setIrqLine(4, false);
  },
);

const routedAfter: ConformanceCase = {
  name: 'the I/O APIC routes as before after the move',
  needs: NEEDS,
  run: (t) =>
    compareMoved(t, {
      options: guest((a) => routeIoapicPin(a, PIN, VECTOR), openForAWhile),
      stopAt: atReady,
      goOn(machine) {
        machine.vm.setIrqLine(PIN, true);
        machine.vm.setIrqLine(PIN, false);
      },
    }),
};

const inService: ConformanceCase = {
  name: 'a level interrupt in service is raised again after its EOI on the new machine',
  needs: NEEDS,
  run(t) {
    const options: MachineOptions = {
      interruptControllers: 'in-kernel',
      code(a) {
        enableLapic(a);
        routeIoapicPin(a, PIN, VECTOR | IOAPIC_LEVEL);
        a.sti();
        report(a, READY);
        delay(a, 200, ecx);
        done(a);
        a.label('handler');
        report(a, VECTOR);
        lapicEoi(a);
        a.iret();
      },
      vectors: { [VECTOR]: 'handler' },
    };
    const first = t.machine(options);
    first.expectIo('out', REPORT_PORT);
    first.vm.setIrqLine(PIN, true);
    assert.equal(exitValue(first.expectIo('out', REPORT_PORT)), BigInt(VECTOR));
    first.cpu.completeExit();
    const second = moveToNewMachine(t, first, options);
    // The device's line is high on the new machine too, until the handler has run once more.
    second.vm.setIrqLine(PIN, true);
    const reports = second.finish({ onReport: () => second.vm.setIrqLine(PIN, false) });
    assert.deepEqual(reports, [VECTOR]);
  },
};

const timer: ConformanceCase = {
  name: 'an APIC timer that was counting fires after the move',
  needs: NEEDS,
  run(t) {
    const options = guest(startLongTimer, (a) => [a.sti(), a.hlt(), a.cli()]);
    const first = t.machine(options);
    first.expectIo('out', REPORT_PORT);
    first.cpu.completeExit();
    const second = moveToNewMachine(t, first, options);
    assert.deepEqual(second.finish(), [VECTOR]);
  },
};

/** A second, more or less. */
function startLongTimer(a: Assembler): void {
  a.mov(dword(APIC_DIVIDE), 0xb); // by 1
  a.mov(dword(APIC_LVT_TIMER), VECTOR);
  a.mov(dword(APIC_INITIAL_COUNT), 1_000_000_000);
}

const registersRoundTrip: ConformanceCase = {
  name: 'the controllers read as the guest programmed them, and a new machine reads the same',
  needs: NEEDS,
  run(t) {
    const options = guest(
      (a) => {
        initPics(a, 0xa5, 0x5a);
        routeIoapicPin(a, PIN, VECTOR | IOAPIC_LEVEL, 3);
      },
      () => {},
    );
    const machine = t.machine(options);
    machine.expectIo('out', REPORT_PORT);
    const state = machine.vm.getInterruptControllers();
    assert.equal(state.picMaster.imr, 0xa5);
    assert.equal(state.picSlave.imr, 0x5a);
    assert.equal(state.picMaster.irqBase, 0x20);
    assert.equal(state.picSlave.irqBase, 0x28);
    assert.equal(state.ioapic.redirectionTable[PIN]! & 0xff000000_0000ffffn, (3n << 56n) | 0x8055n);
    const other = t.machine({ ...options, code: done, vectors: {} });
    const text = interruptControllerStateFormat.encode(state);
    other.vm.setInterruptControllers(interruptControllerStateFormat.decode(text));
    const { pit: _, ...read } = other.vm.getInterruptControllers();
    const { pit: __, ...written } = state;
    assert.deepEqual(read, written);
  },
};

const lapicRoundTrip: ConformanceCase = {
  name: 'the local APIC reads as its page, and is set from it',
  needs: NEEDS,
  run(t) {
    const options = guest(
      () => {},
      () => {},
    );
    const machine = t.machine(options);
    machine.expectIo('out', REPORT_PORT);
    const lapic = machine.cpu.getLapic();
    assert.equal(lapic.length, 1024);
    const register = (page: Uint8Array, offset: number) =>
      new DataView(page.buffer, page.byteOffset).getUint32(offset, true);
    assert.equal(register(lapic, 0xf0), 0x1ff);
    assert.equal(register(lapic, 0x350), 0x700);
    const other = t.machine(options);
    other.cpu.setLapic(lapic);
    assert.equal(register(other.cpu.getLapic(), 0xf0), 0x1ff);
    assert.equal(register(other.cpu.getLapic(), 0x350), 0x700);
  },
};

const haltedMoves: ConformanceCase = {
  name: 'a halted vCPU is still halted after the move, and wakes there',
  needs: [...NEEDS, 'threads'],
  async run(t) {
    const options = guest(
      () => {},
      (a) => [a.sti(), a.hlt(), report(a, 7)],
    );
    const first = t.machine(options);
    const thread = await t.thread(first, 0, CODE);
    thread.start();
    assert.equal(await thread.report(), READY);
    await sleep(30);
    await thread.stop();
    const state = await thread.call('save');
    assert.equal(state.mpState, 'halted');
    const second = moveAllButVcpus(t, first, options);
    const cpu = second.openBare();
    cpu.restore(throughJson(state));
    assert.equal(cpu.getMpState(), 'halted');
    second.vm.signalMsi(msi(VECTOR));
    assert.deepEqual(second.finish(), [VECTOR, 7]);
  },
};

/** Those that move a guest. */
export const controllerMoveCases: readonly ConformanceCase[] = [
  pendingMessage,
  pendingEdge,
  routedAfter,
  inService,
  timer,
  haltedMoves,
];

export const saveRestoreControllerCases: readonly ConformanceCase[] = [
  registersRoundTrip,
  lapicRoundTrip,
  ...controllerMoveCases,
];
