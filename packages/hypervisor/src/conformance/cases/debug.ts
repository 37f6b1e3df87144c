/** Stops that a debugger asks for (Intel SDM Vol. 3B §17.2 "Debug Registers"). */
import assert from 'node:assert/strict';
import type { HardwareBreakpoint } from '../../contract.ts';
import {
  type Assembler,
  addressOf,
  al,
  dr6,
  dword,
  eax,
  ebx,
  ecx,
  edx,
  esi,
  qword,
  rax,
  rbx,
  rsp,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { exitValue } from '../exit-data.ts';
import { done, report, reportEax } from '../guest-code.ts';
import { CODE, DATA, SELECTORS } from '../guest-layout.ts';
import type { Machine, MachineOptions } from '../machine.ts';
import { address, DB, DR6_HITS, stop } from './debug-stop.ts';

const BP = 3;

const DR6_SINGLE_STEP = 1n << 14n;

const FLAG_TRAP = 0x100;

const FLAG_RESUME = 1n << 16n;

const steps: ConformanceCase = {
  name: 'single steps stop after each instruction, with its registers',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(eax, 5);
        a.label('1');
        a.add(eax, 6);
        a.label('2');
        a.jmp('3');
        a.ud2();
        a.label('3');
        a.push(rax);
        a.label('4');
        a.pop(rbx);
        a.label('5');
        done(a);
      },
    });
    const { cpu } = machine;
    cpu.setGuestDebug({ singleStep: true });
    const expected: [label: string, rax: bigint, rbx: bigint][] = [
      ['1', 5n, 0n],
      ['2', 11n, 0n],
      ['3', 11n, 0n],
      ['4', 11n, 0n],
      ['5', 11n, 11n],
    ];
    for (const [label, a, b] of expected) {
      const exit = stop(machine);
      assert.equal(exit.exception, DB);
      assert.equal(exit.pc, address(machine, label));
      assert.equal(exit.dr6 & DR6_SINGLE_STEP, DR6_SINGLE_STEP);
      const { rip, rax: ra, rbx: rb, rflags } = cpu.getRegisters();
      assert.deepEqual([rip, ra, rb], [exit.pc, a, b]);
      assert.equal(rflags & BigInt(FLAG_TRAP), 0n, 'the trap flag is not the guest’s');
    }
    cpu.setGuestDebug({});
    machine.expectDone();
  },
};

const stepsThroughIo: ConformanceCase = {
  name: 'a single step over IN is the I/O exit and then the stop',
  run(t) {
    const machine = t.machine({
      mode: 'protected',
      code(a) {
        a.in(al, 0x60);
        a.label('after');
        a.nop();
        done(a);
      },
    });
    machine.cpu.setGuestDebug({ singleStep: true });
    machine.expectIo('in', 0x60).data.setUint8(0, 0x99);
    assert.equal(stop(machine).pc, address(machine, 'after'));
    assert.equal(machine.cpu.getRegisters().rax, 0x99n);
    machine.cpu.setGuestDebug({});
    machine.expectDone();
  },
};

const stepsRealMode: ConformanceCase = {
  name: 'single steps in real mode, across a far jump',
  run(t) {
    const machine = t.machine({
      mode: 'real',
      code(a) {
        a.nop();
        a.label('jump');
        a.jmpFar(0x100, CODE - 0x1000 + 0x20);
        a.org(CODE + 0x20);
        a.label('landed');
        a.inc(eax);
        a.label('after');
        done(a);
      },
    });
    machine.cpu.setGuestDebug({ singleStep: true });
    // The stop's pc is linear, the instruction pointer is not.
    for (const label of ['jump', 'landed', 'after']) assert.equal(stop(machine).pc, address(machine, label));
    assert.equal(machine.cpu.getRegisters().rip, address(machine, 'after') - 0x1000n);
    machine.cpu.setGuestDebug({});
    machine.expectDone();
  },
};

function executeAt(machine: Machine, label: string): HardwareBreakpoint {
  return { address: address(machine, label), condition: 'execute', lengthBytes: 1 };
}

function checkExecuteStop(machine: Machine, label: string, index: number): void {
  const exit = stop(machine);
  assert.equal(exit.exception, DB);
  assert.equal(exit.pc, address(machine, label));
  assert.equal(exit.dr6 & DR6_HITS, BigInt(1 << index));
  assert.equal(machine.cpu.getRegisters().rip, exit.pc);
}

/** On string I/O, which KVM emulates and where it looks for breakpoints itself: on any processor. */
const executeEmulated: ConformanceCase = {
  name: 'execute breakpoints stop before string I/O; taken away, the guest goes on',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(esi, DATA);
        a.mov(edx, 0x80);
        a.label('first');
        a.outs(8);
        a.nop();
        a.label('second');
        a.outs(8);
        done(a);
      },
    });
    const { cpu } = machine;
    machine.memory.write(DATA, Uint8Array.of(0x11, 0x22));
    const [first, second] = [executeAt(machine, 'first'), executeAt(machine, 'second')];
    cpu.setGuestDebug({ hardwareBreakpoints: [first, second] });
    checkExecuteStop(machine, 'first', 0);
    cpu.setGuestDebug({ hardwareBreakpoints: [second] });
    assert.equal(exitValue(machine.expectIo('out', 0x80)), 0x11n);
    checkExecuteStop(machine, 'second', 0);
    cpu.setGuestDebug({});
    assert.equal(exitValue(machine.expectIo('out', 0x80)), 0x22n);
    machine.expectDone();
  },
};

const execute: ConformanceCase = {
  name: 'execute breakpoints stop before their instruction; the resume flag passes over one',
  needs: ['hardware-debug'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(eax, 0);
        a.label('first');
        a.inc(eax);
        a.nop();
        a.label('second');
        a.inc(eax);
        done(a);
      },
    });
    const { cpu } = machine;
    const labels = ['first', 'second'];
    cpu.setGuestDebug({ hardwareBreakpoints: labels.map((label) => executeAt(machine, label)) });
    for (const [i, label] of labels.entries()) {
      checkExecuteStop(machine, label, i);
      const registers = cpu.getRegisters();
      assert.equal(registers.rax, BigInt(i));
      cpu.setRegisters({ ...registers, rflags: registers.rflags | FLAG_RESUME });
    }
    machine.expectDone();
  },
};

/** IRET to a label with the resume flag set. */
function returnResuming(a: Assembler, label: string): void {
  a.mov(rax, rsp);
  a.push(SELECTORS.data);
  a.push(rax);
  a.push(2 | Number(FLAG_RESUME));
  a.push(SELECTORS.code64);
  a.push(addressOf(label));
  a.iret(64);
}

const resumeFlag: ConformanceCase = {
  name: 'the resume flag holds for one instruction: an interrupt behind it does not save it',
  run(t) {
    const machine = t.machine({
      code(a) {
        returnResuming(a, 'resumed');
        a.label('resumed');
        a.nop();
        a.int(0x40);
        a.label('handler');
        a.mov(rax, qword(rsp, 16)); // RFLAGS
        reportEax(a);
        done(a);
      },
      vectors: { 64: 'handler' },
    });
    assert.deepEqual(machine.finish(), [2]);
  },
};

const resumeOnce: ConformanceCase = {
  name: 'a breakpoint behind the instruction that the resume flag is for is hit',
  needs: ['hardware-debug'],
  run(t) {
    const machine = t.machine({
      code(a) {
        returnResuming(a, 'resumed');
        a.label('resumed');
        a.nop();
        a.label('stop');
        a.nop();
        done(a);
      },
    });
    machine.cpu.setGuestDebug({ hardwareBreakpoints: [executeAt(machine, 'stop')] });
    checkExecuteStop(machine, 'stop', 0);
    machine.cpu.setGuestDebug({});
    machine.expectDone();
  },
};

const INT3_GUEST: MachineOptions = {
  code(a) {
    a.mov(eax, 1);
    a.label('int3');
    a.int3();
    a.label('after');
    report(a, 2);
    done(a);
    a.label('handler');
    report(a, BP);
    a.iret();
  },
  vectors: { [BP]: 'handler' },
};

const int3: ConformanceCase = {
  name: 'INT3 is a debug exit at the instruction when asked for, the guest’s own exception when not',
  needs: ['software-breakpoints'],
  run(t) {
    const machine = t.machine(INT3_GUEST);
    const { cpu } = machine;
    cpu.setGuestDebug({ softwareBreakpoints: true });
    const exit = stop(machine);
    assert.equal(exit.exception, BP);
    assert.equal(exit.pc, address(machine, 'int3'));
    assert.equal(cpu.getRegisters().rip, address(machine, 'int3'));
    // As a debugger does it: let the guest have it after all.
    cpu.setGuestDebug({});
    assert.deepEqual(machine.finish(), [BP, 2]);
  },
};

const patched: ConformanceCase = {
  name: 'a breakpoint that the host writes over an instruction is hit, and taken back',
  needs: ['software-breakpoints'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(ecx, 3);
        a.label('round');
        a.inc(ebx);
        a.dec(ecx);
        a.jcc('ne', 'round');
        a.mov(eax, ebx);
        reportEax(a);
        done(a);
      },
    });
    const { cpu, memory } = machine;
    const round = machine.program.address('round');
    const original = memory.readU8(round);
    memory.writeU8(round, 0xcc);
    cpu.setGuestDebug({ softwareBreakpoints: true });
    assert.equal(stop(machine).pc, BigInt(round));
    memory.writeU8(round, original);
    assert.deepEqual(machine.finish(), [3]);
  },
};

const guestTrap: ConformanceCase = {
  name: 'the guest steps itself with its trap flag',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.pushf();
        a.or(dword(rsp), FLAG_TRAP);
        a.popf();
        a.nop(); // the first instruction with the flag set
        a.label('after');
        done(a);
        a.label('debug');
        a.mov(rax, dr6);
        a.and(eax, 0xe00f);
        reportEax(a);
        a.pop(rax);
        reportEax(a);
        done(a);
      },
      vectors: { [DB]: 'debug' },
    });
    assert.deepEqual(machine.finish(), [Number(DR6_SINGLE_STEP), machine.program.address('after')]);
  },
};

export const debugCases: readonly ConformanceCase[] = [
  steps,
  stepsThroughIo,
  stepsRealMode,
  executeEmulated,
  execute,
  resumeFlag,
  resumeOnce,
  int3,
  patched,
  guestTrap,
];
