/**
 * Virtual-8086 tasks without the mode's extensions: their way in and out, what IOPL and the I/O permission map let them do
 * (Intel SDM Vol. 3A chapter 20 "8086 Emulation", §20.2.6 "Leaving Virtual-8086 Mode", §20.2.7 "Sensitive Instructions").
 */
import assert from 'node:assert/strict';
import {
  type Assembler,
  addressOf,
  al,
  ax,
  bp,
  ds,
  dword,
  eax,
  es,
  esp,
  gs,
  sp,
  word,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, report, reportEax } from '../guest-code.ts';
import { DATA, GDT, SELECTORS, STACK_TOP, TSS } from '../guest-layout.ts';
import type { Machine } from '../machine.ts';

const GP = 13;
const FLAG_VM = 0x20000;
const FLAG_INTERRUPT = 0x200;
const IOPL_3 = 0x3000;
const STACK_SEGMENT = 0x400;
const STACK_POINTER = 0xff0;
const DATA_SEGMENT = DATA >> 4;
const IO_MAP = 0x68;
/** For ports below 0x100, and the byte behind them. */
const IO_MAP_BYTES = 33;

/** From protected mode by IRETD; code of the task follows. */
function enter(a: Assembler, flags: number): void {
  a.mov(eax, SELECTORS.tss);
  a.ltr(ax);
  // GS, FS, DS, ES, SS, ESP, EFLAGS, CS, EIP
  for (const value of [0x1111, 0x2222, DATA_SEGMENT, 0x3333, STACK_SEGMENT, STACK_POINTER]) a.push(value);
  a.push(2 | FLAG_VM | flags);
  a.push(0);
  a.push(addressOf('task'));
  a.iret();
  a.bits(16);
  a.label('task');
}

/** Reports what is on the handler's stack, after its error code if it has one: EIP, CS and EFLAGS; and ends the guest. */
function frameHandler(a: Assembler, name: string, errorCode: boolean): void {
  a.bits(32);
  a.label(name);
  if (errorCode) {
    a.pop(eax);
    reportEax(a);
  }
  for (const offset of [0, 4, 8]) {
    a.mov(eax, dword(esp, offset));
    if (offset === 8) a.and(eax, FLAG_VM | IOPL_3 | FLAG_INTERRUPT);
    reportEax(a);
  }
  a.mov(eax, ds);
  reportEax(a);
  done(a);
}

const inAndOut: ConformanceCase = {
  name: 'IRETD enters virtual-8086 mode, an exception leaves it with its segments on the stack, and IRETD goes back',
  run(t) {
    const machine = t.machine({
      mode: 'protected',
      code(a) {
        enter(a, IOPL_3);
        a.mov(ax, gs);
        a.mov(ax, word(0x10));
        a.int(0x40);
        a.label('back');
        a.mov(eax, 0);
        a.mov(ax, es);
        a.int(0x41);
        a.bits(32);
        a.label('first');
        for (const offset of [0, 4, 12, 16, 20, 24, 28, 32]) {
          a.mov(eax, dword(esp, offset));
          reportEax(a);
        }
        a.mov(eax, esp);
        reportEax(a);
        a.iret();
        a.label('second');
        reportEax(a); // what the task had in ES
        done(a);
      },
      userVectors: { 64: 'first', 65: 'second' },
    });
    const segments = [STACK_POINTER, STACK_SEGMENT, 0x3333, DATA_SEGMENT, 0x2222, 0x1111];
    const frame = [machine.program.address('back'), 0, ...segments];
    assert.deepEqual(machine.finish(), [...frame, STACK_TOP - 36, 0x3333]);
  },
};

const addressing: ConformanceCase = {
  name: 'a virtual-8086 task has segments of 64 KiB, whose base is 16 times the selector',
  run(t) {
    const machine = t.machine({
      mode: 'protected',
      code(a) {
        enter(a, IOPL_3);
        a.mov(ax, word(0x10));
        a.push(ax);
        a.mov(bp, sp);
        a.mov(ax, word(bp));
        a.mov(word(0x20), ax);
        a.int(0x40);
        a.bits(32);
        a.label('handler');
        done(a);
      },
      userVectors: { 64: 'handler' },
    });
    machine.memory.writeU16(DATA + 0x10, 0xbeef);
    machine.expectDone();
    assert.equal(machine.memory.readU16(DATA + 0x20), 0xbeef);
    assert.equal(machine.memory.readU16(STACK_SEGMENT * 16 + STACK_POINTER - 2), 0xbeef);
  },
};

interface Sensitive {
  readonly name: string;
  readonly write: (a: Assembler) => void;
}

const SENSITIVE: readonly Sensitive[] = [
  { name: 'CLI', write: (a) => a.cli() },
  { name: 'STI', write: (a) => a.sti() },
  { name: 'PUSHF', write: (a) => a.pushf() },
  { name: 'POPF', write: (a) => a.popf() },
  { name: 'IRET', write: (a) => a.iret() },
  { name: 'INT n', write: (a) => a.int(0x40) },
];

/** Below IOPL 3 they are for a monitor to emulate. */
function sensitive({ name, write }: Sensitive): ConformanceCase {
  return {
    name: `${name} in a virtual-8086 task with IOPL 0 is #GP(0) at the instruction`,
    run(t) {
      const machine = t.machine({
        mode: 'protected',
        code(a) {
          enter(a, FLAG_INTERRUPT);
          a.label('fault');
          write(a);
          frameHandler(a, 'monitor', true);
          a.label('bad');
          report(a, 0xbad);
          done(a);
        },
        vectors: { [GP]: 'monitor' },
        userVectors: { 64: 'bad' },
      });
      const flags = FLAG_VM | FLAG_INTERRUPT;
      assert.deepEqual(machine.finish(), [0, machine.program.address('fault'), 0, flags, 0]);
    },
  };
}

const interruptFlag: ConformanceCase = {
  name: 'a virtual-8086 task with IOPL 3 has IF to itself, and POPF does not change IOPL',
  run(t) {
    const machine = t.machine({
      mode: 'protected',
      code(a) {
        enter(a, IOPL_3 | FLAG_INTERRUPT);
        a.cli();
        a.pushf();
        a.pop(ax);
        a.mov(word(0), ax);
        a.mov(ax, 0x0202);
        a.push(ax);
        a.popf();
        a.label('at');
        a.int(0x40);
        frameHandler(a, 'handler', false);
      },
      userVectors: { 64: 'handler' },
    });
    const after = machine.program.address('at') + 2;
    assert.deepEqual(machine.finish(), [after, 0, FLAG_VM | IOPL_3 | FLAG_INTERRUPT, 0]);
    assert.equal(machine.memory.readU16(DATA) & (IOPL_3 | FLAG_INTERRUPT), IOPL_3);
  },
};

/** Gives the TSS an I/O permission map in which only these ports are free. */
function permit(machine: Machine, ports: readonly number[]): void {
  const { memory } = machine;
  memory.writeU16(GDT + SELECTORS.tss, IO_MAP + IO_MAP_BYTES - 1); // the limit, which LTR takes
  memory.writeU16(TSS + 0x66, IO_MAP);
  memory.view(TSS + IO_MAP, IO_MAP_BYTES).fill(0xff);
  for (const port of ports) {
    const at = TSS + IO_MAP + (port >> 3);
    memory.writeU8(at, memory.readU8(at) & ~(1 << (port & 7)));
  }
}

const ports: ConformanceCase = {
  name: 'the I/O permission map decides about ports of a virtual-8086 task, whatever its IOPL',
  run(t) {
    const machine = t.machine({
      mode: 'protected',
      code(a) {
        enter(a, IOPL_3);
        a.mov(al, 0x5a);
        a.out(0x80, al);
        a.label('fault');
        a.out(0x81, al);
        frameHandler(a, 'monitor', true);
      },
      vectors: { [GP]: 'monitor' },
    });
    permit(machine, [0x80]);
    machine.expectIo('out', 0x80);
    assert.deepEqual(machine.finish(), [0, machine.program.address('fault'), 0, FLAG_VM | IOPL_3, 0]);
  },
};

export const virtual8086Cases: readonly ConformanceCase[] = [
  inAndOut,
  addressing,
  interruptFlag,
  ...SENSITIVE.map(sensitive),
  ports,
];
