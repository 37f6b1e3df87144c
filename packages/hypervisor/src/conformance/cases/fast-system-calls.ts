/**
 * SYSENTER and SYSEXIT, SYSCALL and SYSRET: segments, stacks and flags (Intel SDM Vol. 3A §5.8.7 "Performing Fast Calls to
 * System Procedures with the SYSENTER and SYSEXIT Instructions", §5.8.8 "Fast System Calls in 64-Bit Mode").
 */
import assert from 'node:assert/strict';
import {
  type Assembler,
  addressOf,
  cs,
  eax,
  ecx,
  edx,
  esp,
  r11,
  rax,
  rcx,
  rdx,
  rsp,
  ss,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, reportEax } from '../guest-code.ts';
import { SELECTORS, STACK_TOP, USER_STACK_TOP } from '../guest-layout.ts';
import { faultCase } from './fault-case.ts';
import { enterUserMode, IOPL_3 } from './user-mode.ts';

const UD = 6;
const GP = 13;
const SYSENTER_CS = 0x174;
const SYSENTER_ESP = 0x175;
const SYSENTER_EIP = 0x176;
const EFER = 0xc0000080;
const EFER_SCE = 1;
const STAR = 0xc0000081;
const LSTAR = 0xc0000082;
const FMASK = 0xc0000084;
const FLAG_INTERRUPT = 0x200;
const FLAG_DIRECTION = 0x400;
const FLAG_NESTED = 0x4000;
/** The other selectors follow from it. */
const ENTER_CS = SELECTORS.code32;
const KERNEL_STACK = STACK_TOP - 0x100;

function setMsr(a: Assembler, index: number, low: Parameters<Assembler['mov']>[1], high = 0): void {
  a.mov(ecx, index);
  a.mov(eax, low);
  a.mov(edx, high);
  a.wrmsr();
}

function setFlags(a: Assembler, flags: number): void {
  a.push(2 | flags);
  a.popf();
}

/** CS, SS, the stack pointer and, of the flags, these. */
function reportContext(a: Assembler, flags: number): void {
  for (const segment of [cs, ss]) {
    a.mov(eax, segment);
    reportEax(a);
  }
  a.mov(eax, esp);
  reportEax(a);
  a.pushf();
  a.pop(a.codeBits === 64 ? rax : eax);
  a.and(eax, flags);
  reportEax(a);
}

function setUpSysenter(a: Assembler): void {
  setMsr(a, SYSENTER_CS, ENTER_CS);
  setMsr(a, SYSENTER_ESP, KERNEL_STACK);
  setMsr(a, SYSENTER_EIP, addressOf('kernel'));
}

const INTERRUPTS_AND_LEVEL = FLAG_INTERRUPT | IOPL_3;

const sysenter: ConformanceCase = {
  name: 'SYSEXIT goes to level 3 and SYSENTER back, in protected mode, with IF clear',
  run(t) {
    const machine = t.machine({
      mode: 'protected',
      code(a) {
        setUpSysenter(a);
        setFlags(a, INTERRUPTS_AND_LEVEL);
        a.mov(edx, addressOf('user'));
        a.mov(ecx, USER_STACK_TOP);
        a.sysexit();
        a.label('user');
        reportContext(a, INTERRUPTS_AND_LEVEL);
        a.sysenter();
        a.label('kernel');
        reportContext(a, INTERRUPTS_AND_LEVEL);
        done(a);
      },
    });
    const user = [(ENTER_CS + 16) | 3, (ENTER_CS + 24) | 3, USER_STACK_TOP, INTERRUPTS_AND_LEVEL];
    const kernel = [ENTER_CS, ENTER_CS + 8, KERNEL_STACK, IOPL_3];
    assert.deepEqual(machine.finish(), [...user, ...kernel]);
  },
};

const sysenterLong: ConformanceCase = {
  name: 'SYSEXIT with REX.W goes to 64-bit code, without to 32-bit code; SYSENTER to 64-bit code from both',
  needs: ['sysenter-in-long-mode'],
  run(t) {
    const machine = t.machine({
      code(a) {
        setUpSysenter(a);
        setFlags(a, INTERRUPTS_AND_LEVEL);
        a.mov(rdx, addressOf('user'));
        a.mov(rcx, USER_STACK_TOP);
        a.sysexitq();
        a.label('user');
        reportContext(a, INTERRUPTS_AND_LEVEL);
        a.sysenter();
        a.label('kernel');
        reportContext(a, INTERRUPTS_AND_LEVEL);
        setMsr(a, SYSENTER_EIP, addressOf('again'));
        a.mov(rdx, addressOf('compatible'));
        a.mov(rcx, USER_STACK_TOP);
        a.sysexit();
        a.bits(32);
        a.label('compatible');
        reportContext(a, INTERRUPTS_AND_LEVEL);
        a.sysenter();
        a.bits(64);
        a.label('again');
        a.mov(rax, rsp);
        reportEax(a);
        done(a);
      },
    });
    const user = [(ENTER_CS + 32) | 3, (ENTER_CS + 40) | 3, USER_STACK_TOP, INTERRUPTS_AND_LEVEL];
    const kernel = [ENTER_CS, ENTER_CS + 8, KERNEL_STACK, IOPL_3];
    const compatible = [(ENTER_CS + 16) | 3, (ENTER_CS + 24) | 3, USER_STACK_TOP, IOPL_3];
    assert.deepEqual(machine.finish(), [...user, ...kernel, ...compatible, KERNEL_STACK]);
  },
};

/** SYSCALL leads to 'kernel' and clears these flags; SYSRET's selectors are 16 and 8 behind `code64`. */
function setUpSyscall(a: Assembler, mask: number): void {
  a.mov(ecx, EFER);
  a.rdmsr();
  a.or(eax, EFER_SCE);
  a.wrmsr();
  setMsr(a, STAR, 0, (SELECTORS.code64 << 16) | SELECTORS.code64);
  setMsr(a, LSTAR, addressOf('kernel'));
  setMsr(a, FMASK, mask);
}

const USER_FLAGS = INTERRUPTS_AND_LEVEL | FLAG_DIRECTION | FLAG_NESTED;
const MASK = FLAG_INTERRUPT | FLAG_DIRECTION | FLAG_NESTED;

const syscall: ConformanceCase = {
  name: 'SYSCALL keeps RFLAGS in R11 and clears what FMASK names, and SYSRET brings it back',
  run(t) {
    const machine = t.machine({
      code(a) {
        setUpSyscall(a, MASK);
        a.mov(rcx, addressOf('user'));
        a.mov(r11, 2 | USER_FLAGS);
        a.mov(rax, rsp);
        a.sysretq();
        a.label('user');
        reportContext(a, USER_FLAGS);
        a.syscall();
        a.label('after');
        reportContext(a, USER_FLAGS);
        done(a);
        a.label('kernel');
        reportContext(a, USER_FLAGS);
        a.mov(rax, r11);
        a.and(eax, USER_FLAGS);
        reportEax(a);
        a.mov(rax, rcx);
        reportEax(a);
        a.sysretq();
      },
    });
    const user = [(SELECTORS.code64 + 16) | 3, (SELECTORS.code64 + 8) | 3, STACK_TOP, USER_FLAGS];
    // The stack is the user's.
    const kernel = [SELECTORS.code64, SELECTORS.code64 + 8, STACK_TOP, USER_FLAGS & ~MASK];
    const saved = [USER_FLAGS, machine.program.address('after')];
    assert.deepEqual(machine.finish(), [...user, ...kernel, ...saved, ...user]);
  },
};

const sysretl: ConformanceCase = {
  name: 'SYSRET without REX.W goes to 32-bit code',
  run(t) {
    const machine = t.machine({
      code(a) {
        setUpSyscall(a, 0);
        a.label('kernel');
        a.mov(rcx, addressOf('user'));
        a.mov(r11, 2 | IOPL_3);
        a.sysretl();
        a.bits(32);
        a.label('user');
        a.dec(eax); // REX.W in 64-bit code
        reportContext(a, IOPL_3);
        done(a);
      },
    });
    const [selector, stack, ...rest] = machine.finish();
    assert.deepEqual([selector, stack], [SELECTORS.code64 | 3, (SELECTORS.code64 + 8) | 3]);
    assert.deepEqual(rest, [STACK_TOP, IOPL_3]);
    assert.equal(machine.cpu.getSpecialRegisters().cs.long, false);
  },
};

const faults = [
  faultCase({
    name: 'SYSCALL without EFER.SCE is #UD',
    vector: UD,
    code(a) {
      a.label('fault');
      a.syscall();
    },
  }),
  faultCase({
    name: 'SYSENTER whose code segment is null is #GP(0)',
    ...{ mode: 'protected', vector: GP, errorCode: 0 },
    code(a) {
      setMsr(a, SYSENTER_CS, 0);
      a.label('fault');
      a.sysenter();
    },
  }),
  faultCase({
    name: 'SYSEXIT at privilege level 3 is #GP(0)',
    ...{ mode: 'protected', vector: GP, errorCode: 0 },
    code(a) {
      setUpSysenter(a);
      a.label('kernel');
      enterUserMode(a);
      a.label('fault');
      a.sysexit();
    },
  }),
  faultCase({
    name: 'SYSRET at privilege level 3 is #GP(0)',
    ...{ vector: GP, errorCode: 0 },
    code(a) {
      setUpSyscall(a, 0);
      a.label('kernel');
      enterUserMode(a);
      a.label('fault');
      a.sysretq();
    },
  }),
];

export const fastSystemCallCases: readonly ConformanceCase[] = [
  sysenter,
  sysenterLong,
  syscall,
  sysretl,
  ...faults,
];
