/** Save and restore at every kind of exit. */
import assert from 'node:assert/strict';
import type { VcpuExit } from '../../exits.ts';
import { vcpuStateFormat } from '../../state-json.ts';
import type { VcpuState } from '../../vcpu-state.ts';
import {
  type Assembler,
  addressOf,
  al,
  at,
  dword,
  eax,
  ebx,
  ecx,
  edi,
  edx,
  esi,
  qword,
  r8,
  r15,
  rax,
  rbx,
  rdi,
  rsp,
  xmm0,
  xmm1,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { answer, exitBytes } from '../exit-data.ts';
import { delay, done, report, reportEax } from '../guest-code.ts';
import { DATA, type GuestMode, MMIO, SELECTORS, USER_STACK_TOP } from '../guest-layout.ts';
import { enableSse } from '../guest-vector.ts';
import type { Feature } from '../subject.ts';
import { compareMoved, type Scenario } from './moves.ts';

const PORT = 0x70;
const VECTOR = 0x36;

function isIo(direction: 'in' | 'out') {
  return (exit: VcpuExit) => exit.kind === 'io' && exit.direction === direction && exit.port === PORT;
}

function isMmio(direction: 'read' | 'write') {
  return (exit: VcpuExit) => exit.kind === 'mmio' && exit.direction === direction;
}

/** Values in every register and flags, so that a loss shows at the end. */
function fillRegisters(a: Assembler): void {
  if (a.codeBits === 64) {
    a.mov(rbx, 0x1122334455667788n);
    a.mov(r8, 0x8888000088880000n);
    a.mov(r15, 0xffffeeeeddddccccn);
  } else {
    a.mov(ebx, 0x55667788);
  }
  a.mov(esi, 0x0badcafe);
  a.mov(edi, DATA);
  a.stc();
}

/** Answers ports and MMIO with a sequence, and keeps the bytes that are written as reports. */
function sequence() {
  let next = 0x41;
  return (exit: VcpuExit, { reports }: { reports: number[] }): boolean => {
    if (exit.kind !== 'io' && exit.kind !== 'mmio') return false;
    if (exit.direction === 'out' || exit.direction === 'write') {
      // Accelerators differ in how many items of a string they bring at a time.
      reports.push(...exitBytes(exit));
      return true;
    }
    for (const i of exitBytes(exit).keys()) exitBytes(exit)[i] = next++ & 0xff;
    return true;
  };
}

function accessScenario(
  mode: GuestMode,
  stopAt: (exit: VcpuExit) => boolean,
  access: (a: Assembler) => void,
): Scenario {
  return {
    options: {
      mode,
      code(a) {
        fillRegisters(a);
        access(a);
        a.out(PORT + 1, eax);
        a.adc(ebx, esi);
        done(a);
      },
    },
    stopAt,
    makeServe: sequence,
  };
}

function longAccess(stopAt: (exit: VcpuExit) => boolean, access: (a: Assembler) => void): Scenario {
  return accessScenario('long', stopAt, access);
}

function stringAccess(a: Assembler, count: number, work: () => void): void {
  a.mov(ecx, count);
  a.mov(edx, PORT);
  a.mov(esi, DATA);
  a.rep();
  work();
}

const accesses: [name: string, scenario: Scenario][] = [
  ['OUT', longAccess(isIo('out'), (a) => [a.mov(eax, 0x77), a.out(PORT, al)])],
  ...(['real', 'protected', 'long'] as const).map((mode): [string, Scenario] => [
    `IN in ${mode} mode`,
    accessScenario(mode, isIo('in'), (a) => a.in(al, PORT)),
  ]),
  ['REP INS, mid-way', longAccess(isIo('in'), (a) => stringAccess(a, 6000, () => a.ins(8)))],
  ['REP OUTS, mid-way', longAccess(isIo('out'), (a) => stringAccess(a, 40, () => a.outs(32)))],
  ['an MMIO read', longAccess(isMmio('read'), (a) => a.mov(rax, qword(MMIO + 8)))],
  ['an MMIO write', longAccess(isMmio('write'), (a) => a.mov(dword(MMIO), ebx))],
  ['the read of a read-modify-write', longAccess(isMmio('read'), (a) => a.add(dword(MMIO), ebx))],
  ['an MMIO read across pages', longAccess(isMmio('read'), (a) => a.mov(rax, qword(MMIO + 4091)))],
  [
    'REP MOVS from MMIO, mid-way',
    longAccess(isMmio('read'), (a) => [a.mov(esi, MMIO), a.mov(ecx, 5), a.rep(), a.movs(32)]),
  ],
];

/** Handlers that report and return, at VECTOR and at 2 (NMI). */
function handlers(a: Assembler): void {
  for (const [name, value] of [
    ['handler', VECTOR],
    ['nmi', 2],
  ] as const) {
    a.label(name);
    a.push(rax);
    report(a, value);
    a.pop(rax);
    a.iret();
  }
}

const HANDLERS = { [VECTOR]: 'handler', 2: 'nmi' };

const halted: Scenario = {
  options: {
    code(a) {
      fillRegisters(a);
      a.sti();
      a.hlt();
      report(a, 1);
      done(a);
      handlers(a);
    },
    vectors: HANDLERS,
  },
  stopAt: (exit) => exit.kind === 'hlt',
  makeServe: () => (exit) => exit.kind === 'hlt',
  goOn: (machine) => machine.cpu.injectInterrupt(VECTOR),
};

/**
 * Overwrites what an interrupt has left behind, the address where it was taken above all: QEMU's software emulation forgets
 * STI's shadow when the lab's own timer interrupts just then, and the window opens an instruction early.
 */
function wipeStack(a: Assembler): void {
  const words = 8;
  for (let i = 0; i < words; i++) a.push(0);
  a.add(rsp, words * 8);
}

const window: Scenario = {
  options: {
    code(a) {
      fillRegisters(a);
      delay(a, 50, ecx);
      a.sti();
      delay(a, 50, ecx);
      a.cli();
      wipeStack(a);
      report(a, 1);
      done(a);
      handlers(a);
    },
    vectors: HANDLERS,
  },
  prepare: (machine) => machine.cpu.requestInterruptWindow(true),
  stopAt: (exit) => exit.kind === 'interrupt-window',
  makeServe: () => (exit) => exit.kind === 'interrupt-window',
  goOn(machine) {
    machine.cpu.requestInterruptWindow(false);
    machine.cpu.injectInterrupt(VECTOR);
  },
};

const interrupted: Scenario = {
  options: {
    code(a) {
      fillRegisters(a);
      for (let i = 0; i < 3; i++) report(a, i);
      delay(a, 100, ecx);
      done(a);
    },
  },
  prepare: (machine) => machine.handle(0).kick(),
  stopAt: (exit) => exit.kind === 'interrupted',
};

function debugStop(): Scenario {
  let steps = 0;
  return {
    options: {
      code(a) {
        fillRegisters(a);
        a.push(0x1234);
        a.inc(ebx);
        a.nop();
        report(a, 1);
        done(a);
      },
    },
    prepare(machine) {
      steps = 0;
      machine.cpu.setGuestDebug({ singleStep: true });
    },
    stopAt: (exit) => exit.kind === 'debug' && ++steps === 5,
    makeServe: () => (exit) => exit.kind === 'debug',
    goOn: (machine) => machine.cpu.setGuestDebug({}),
  };
}

const inNmi: Scenario = {
  options: {
    code(a) {
      fillRegisters(a);
      report(a, 1);
      delay(a, 10, ecx);
      done(a);
      a.label('nmi');
      a.push(rax);
      a.in(al, PORT);
      delay(a, 10, ecx);
      report(a, 3);
      a.pop(rax);
      a.iret();
    },
    vectors: { 2: 'nmi' },
  },
  prepare: (machine) => machine.cpu.injectNmi(),
  stopAt: isIo('in'),
  makeServe: sequence,
  // Blocked until the handler's IRET, also on the new machine.
  goOn: (machine) => machine.cpu.injectNmi(),
};

const userMode: Scenario = {
  options: {
    code(a) {
      fillRegisters(a);
      for (const value of [SELECTORS.userData, USER_STACK_TOP, 0x3002, SELECTORS.userCode64]) a.push(value);
      a.push(addressOf('user'));
      a.iret();
      a.label('user');
      a.in(al, PORT); // IOPL 3
      a.int(0x80);
      a.label('gate');
      a.mov(rax, qword(rsp, 8)); // CS
      reportEax(a);
      done(a);
    },
    userVectors: { 128: 'gate' },
  },
  stopAt: isIo('in'),
  makeServe: sequence,
};

const vectorRegisters: Scenario = {
  options: {
    code(a) {
      enableSse(a);
      a.fninit();
      a.fldpi();
      a.fld1();
      a.mov(edi, DATA);
      a.movups(xmm0, at(rdi));
      a.movaps(xmm1, xmm0);
      a.paddd(xmm1, xmm0);
      a.in(al, PORT);
      a.paddq(xmm1, xmm0);
      a.faddp();
      a.movups(at(rdi, 0x20), xmm1);
      a.fstpExtended(at(rdi, 0x40));
      a.stmxcsr(at(rdi, 0x50));
      done(a);
    },
  },
  prepare(machine) {
    for (let i = 0; i < 4; i++) machine.memory.writeU32(DATA + i * 4, 0x9111_1111 * (i + 1));
  },
  stopAt: isIo('in'),
  makeServe: sequence,
};

function movedCase(
  what: string,
  scenario: Scenario | (() => Scenario),
  needs: readonly Feature[] = [],
): ConformanceCase {
  return {
    name: `a guest moved at ${what} ends as one that was not`,
    needs,
    run: (t) => compareMoved(t, typeof scenario === 'function' ? scenario() : scenario),
  };
}

const shutdown: ConformanceCase = {
  name: 'a vCPU that was shut down is saved and restored as it is',
  run(t) {
    const options = {
      code(a: Assembler) {
        a.lidt(at('empty'));
        a.int3();
        a.label('empty');
        a.dw(0);
        a.dq(0);
      },
    };
    const first = t.machine(options);
    first.expect('shutdown');
    const state = first.cpu.save();
    const second = t.machine(options).openBare();
    second.restore(vcpuStateFormat.decode(vcpuStateFormat.encode(state)));
    assert.deepEqual(second.getRegisters(), state.registers);
    assert.deepEqual(second.getSpecialRegisters(), state.special);
  },
};

/** The clock of the processor runs on between save and restore. */
const RUNNING_MSRS = [0x10, 0x6e0];

function withoutClocks(state: VcpuState): VcpuState {
  return { ...state, msrs: state.msrs.filter(({ index }) => !RUNNING_MSRS.includes(index)) };
}

const stable: ConformanceCase = {
  name: 'a state that was restored is saved again as the same, the TSC aside',
  run(t) {
    const options = {
      code(a: Assembler) {
        fillRegisters(a);
        a.sti();
        report(a, 1);
        done(a);
      },
    };
    const first = t.machine(options);
    first.expectIo('out', 0xf0);
    first.cpu.completeExit();
    const state = first.cpu.save();
    const second = t.machine(options).openBare();
    second.restore(state);
    assert.deepEqual(withoutClocks(second.save()), withoutClocks(state));
  },
};

const unknownVersion: ConformanceCase = {
  name: 'restore refuses a state of another version, naming it',
  run(t) {
    const machine = t.machine({ code: done });
    const state = { ...machine.cpu.save(), version: 99 as 1 };
    assert.throws(() => machine.cpu.restore(state), /99/);
    machine.expectDone();
  },
};

const answerKept: ConformanceCase = {
  name: 'the answer to an IN is in the saved state once the exit is completed',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.in(eax, PORT);
        a.label('after');
        done(a);
      },
    });
    answer(machine.expectIo('in', PORT), 0x600df00d);
    machine.cpu.completeExit();
    const { registers } = machine.cpu.save();
    assert.equal(registers.rax, 0x600df00dn);
    assert.equal(registers.rip, BigInt(machine.program.address('after')));
  },
};

/** Those that move a guest. */
export const moveCases: readonly ConformanceCase[] = [
  ...accesses.map(([what, scenario]) => movedCase(what, scenario)),
  movedCase('HLT', halted),
  movedCase("'interrupt-window'", window),
  movedCase("'interrupted'", interrupted),
  movedCase('a debug stop', debugStop),
  movedCase('an IN inside an NMI handler', inNmi),
  movedCase('an IN at privilege level 3', userMode),
  movedCase('an IN between x87 and SSE instructions', vectorRegisters, ['x87', 'sse']),
];

export const saveRestoreCases: readonly ConformanceCase[] = [
  ...moveCases,
  shutdown,
  answerKept,
  stable,
  unknownVersion,
];
