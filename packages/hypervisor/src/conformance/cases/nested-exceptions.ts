/**
 * Exceptions while exceptions are handled, stacks of the interrupt stack table, and the way back to another level (Intel SDM
 * Vol. 3A §6.14 "Exception and Interrupt Handling in 64-bit Mode", §6.15 "Interrupt 8—Double Fault Exception (#DF)").
 */
import assert from 'node:assert/strict';
import {
  type Assembler,
  addressOf,
  cs,
  ds,
  dword,
  eax,
  ebx,
  qword,
  rax,
  rbx,
  rsp,
  ss,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, report, reportEax } from '../guest-code.ts';
import { IDT, SELECTORS, STACK_TOP, TSS, USER_STACK_TOP } from '../guest-layout.ts';
import { interruptStackTop, useInterruptStack } from './interrupt-stacks.ts';
import { REGION } from './page-window.ts';

const NON_CANONICAL = 0x8000_0000_0000_0000n;
/** SS, RSP, RFLAGS, CS, RIP and an error code. */
const FRAME_BYTES = 48;

function reportVectorAndStack(a: Assembler, vector: number): void {
  report(a, vector);
  a.mov(rax, rsp);
  reportEax(a);
}

function readMissingPage(a: Assembler): void {
  a.mov(rbx, REGION);
  a.mov(eax, dword(rbx));
}

const interruptStacks: ConformanceCase = {
  name: 'each gate uses the interrupt stack it names, aligned, and IRETQ goes back to the one before',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.sub(rsp, 3); // delivery aligns the stack it switches to, not this one
        a.int(0x40);
        a.mov(rax, rsp);
        reportEax(a);
        done(a);
        a.label('first');
        reportVectorAndStack(a, 0x40);
        a.mov(rax, qword(rsp, 24));
        reportEax(a);
        a.int(0x41);
        a.iret();
        a.label('second');
        reportVectorAndStack(a, 0x41);
        a.iret();
      },
      vectors: { 64: 'first', 65: 'second' },
    });
    useInterruptStack(machine, 0x40, 1);
    useInterruptStack(machine, 0x41, 7);
    const stack = STACK_TOP - 3;
    const [first, second] = [1, 7].map((ist) => interruptStackTop(ist) - FRAME_BYTES + 8);
    assert.deepEqual(machine.finish(), [0x40, first, stack, 0x41, second, stack]);
  },
};

const faultInHandler: ConformanceCase = {
  name: 'a #GP inside a #PF handler is delivered there, and both return',
  run(t) {
    const machine = t.machine({
      code(a) {
        readMissingPage(a);
        a.mov(rax, rsp);
        reportEax(a);
        done(a);
        a.label('page fault');
        a.mov(rbx, NON_CANONICAL);
        a.label('faulting');
        a.mov(eax, dword(rbx));
        report(a, 14);
        a.add(rsp, 8);
        a.add(qword(rsp), 2); // the length of MOV EAX, [RBX]
        a.iret();
        a.label('protection');
        reportVectorAndStack(a, 13);
        a.add(rsp, 8);
        a.add(qword(rsp), 2);
        a.iret();
      },
      vectors: { 13: 'protection', 14: 'page fault' },
    });
    assert.deepEqual(machine.finish(), [13, STACK_TOP - 2 * FRAME_BYTES, 14, STACK_TOP]);
  },
};

interface DoubleFault {
  readonly name: string;
  readonly code: (a: Assembler) => void;
}

/** What comes second arises while the first is delivered: its gate, or its stack, is bad. */
const DOUBLE_FAULTS: readonly DoubleFault[] = [
  { name: 'a #PF whose gate is missing', code: readMissingPage },
  {
    name: 'a #PF whose frame cannot be pushed',
    code(a) {
      a.mov(rsp, REGION + 0x1000);
      readMissingPage(a);
    },
  },
  {
    name: 'a #DE whose gate is missing',
    code(a) {
      a.mov(ebx, 0);
      a.div(ebx);
    },
  },
];

function doubleFault({ name, code }: DoubleFault): ConformanceCase {
  return {
    name: `${name} is #DF(0) on the stack of its own`,
    run(t) {
      const machine = t.machine({
        code(a) {
          code(a);
          a.label('double fault');
          reportVectorAndStack(a, 8);
          a.pop(rax);
          reportEax(a);
          done(a);
        },
        vectors: { 8: 'double fault' },
      });
      useInterruptStack(machine, 8, 2);
      assert.deepEqual(machine.finish(), [8, interruptStackTop(2) - FRAME_BYTES, 0]);
    },
  };
}

const notDouble: ConformanceCase = {
  name: 'a #UD whose gate is not present is #NP with the gate, not a double fault',
  run(t) {
    const machine = t.machine({
      mode: 'protected', // QEMU's software emulation gives another error code in 64-bit mode
      code(a) {
        a.ud2();
        a.label('absent');
        report(a, 11);
        a.pop(eax);
        a.and(eax, ~1); // EXT, which it does not set
        reportEax(a);
        done(a);
      },
      vectors: { 11: 'absent', 6: 'absent' },
    });
    machine.memory.writeU8(IDT + 6 * 8 + 5, 0x0e);
    assert.deepEqual(machine.finish(), [11, 6 * 8 + 2]);
  },
};

const badDoubleFault: ConformanceCase = {
  name: 'a double fault whose stack is not mapped is a shutdown',
  run(t) {
    const machine = t.machine({
      code(a) {
        readMissingPage(a);
        a.label('double fault');
        done(a);
      },
      vectors: { 8: 'double fault' },
    });
    useInterruptStack(machine, 8, 3);
    machine.memory.writeU64(TSS + 0x1c + 3 * 8, BigInt(REGION));
    machine.expect('shutdown');
  },
};

const outerLevel: ConformanceCase = {
  name: 'IRETQ to privilege level 3 empties DS and ES that level 3 may not use, and loads RSP and SS',
  run(t) {
    const machine = t.machine({
      code(a) {
        for (const value of [SELECTORS.userData, USER_STACK_TOP - 5, 0x3002, SELECTORS.userCode64])
          a.push(value);
        a.push(addressOf('user'));
        a.iret();
        a.label('user');
        a.mov(eax, cs);
        reportEax(a);
        a.mov(rax, rsp);
        reportEax(a);
        a.mov(eax, ds);
        reportEax(a);
        a.mov(eax, ss);
        reportEax(a);
        done(a); // IOPL 3
      },
    });
    assert.deepEqual(machine.finish(), [SELECTORS.userCode64, USER_STACK_TOP - 5, 0, SELECTORS.userData]);
  },
};

export const nestedExceptionCases: readonly ConformanceCase[] = [
  interruptStacks,
  faultInHandler,
  ...DOUBLE_FAULTS.map(doubleFault),
  notDouble,
  badDoubleFault,
  outerLevel,
];
