/** Exceptions that the guest takes through its own IDT (Intel SDM Vol. 3A §6.15 "Exception and Interrupt Reference"). */
import assert from 'node:assert/strict';
import {
  al,
  at,
  ax,
  bp,
  byte,
  cr2,
  cs,
  ds,
  dword,
  eax,
  ecx,
  esp,
  qword,
  rax,
  rbx,
  rcx,
  rdx,
  rsp,
  sp,
  ss,
  word,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, exceptionHandler, report, reportEax } from '../guest-code.ts';
import { DATA, type GuestMode, SELECTORS } from '../guest-layout.ts';
import { type Fault, faultCase } from './fault-case.ts';

const NON_CANONICAL = 0x8000_0000_0000_0000n;

const FAULTS: readonly Fault[] = [
  {
    name: 'a division by zero is #DE at the division',
    vector: 0,
    code(a) {
      a.mov(ecx, 0);
      a.label('fault');
      a.div(ecx);
    },
  },
  {
    name: 'a quotient that does not fit is #DE',
    vector: 0,
    code(a) {
      a.mov(rdx, 1);
      a.mov(rcx, 1);
      a.label('fault');
      a.div(rcx);
    },
  },
  {
    name: 'UD2 is #UD',
    vector: 6,
    code(a) {
      a.label('fault');
      a.ud2();
    },
  },
  {
    name: 'INT3 is #BP after the instruction',
    vector: 3,
    code(a) {
      a.int3();
      a.label('fault');
      a.nop();
    },
  },
  {
    name: 'INT n leads to its vector, after the instruction',
    vector: 0x81,
    code(a) {
      a.int(0x81);
      a.label('fault');
      a.nop();
    },
  },
  {
    name: 'INTO with OF is #OF after the instruction',
    mode: 'protected',
    vector: 4,
    code(a) {
      a.mov(eax, 0x7fffffff);
      a.db(0xce); // OF is clear
      a.inc(eax);
      a.db(0xce);
      a.label('fault');
      a.nop();
    },
  },
  {
    name: 'BOUND beyond its bounds is #BR at the instruction',
    mode: 'protected',
    vector: 5,
    code(a) {
      a.mov(dword(DATA), -3);
      a.mov(dword(DATA + 4), 9);
      for (const [index, label] of [
        [-3, 'lowest'],
        [9, 'highest'],
        [10, 'fault'],
      ] as const) {
        a.mov(eax, index);
        a.label(label);
        a.db(0x62, 0x05); // BOUND EAX, [disp32]
        a.dd(DATA);
      }
    },
  },
  {
    name: 'LOCK before an instruction that only reads is #UD',
    vector: 6,
    code(a) {
      a.label('fault');
      a.lock();
      a.cmp(dword(DATA), 1);
    },
  },
  {
    name: 'LOCK before an addition to a register is #UD',
    vector: 6,
    code(a) {
      a.label('fault');
      a.lock();
      a.add(eax, ecx);
    },
  },
  {
    name: 'an instruction of more than 15 bytes is #GP(0)',
    vector: 13,
    errorCode: 0,
    code(a) {
      a.label('fault');
      for (let i = 0; i < 15; i++) a.db(0x2e);
      a.nop();
    },
  },
  {
    name: 'a selector beyond the GDT is #GP with the selector',
    vector: 13,
    errorCode: 0xff8,
    code(a) {
      a.mov(eax, 0xff8);
      a.label('fault');
      a.mov(ds, ax);
    },
  },
  {
    name: 'a segment that is not present is #NP with the selector',
    mode: 'protected',
    vector: 11,
    errorCode: SELECTORS.absent,
    code(a) {
      a.mov(eax, SELECTORS.absent);
      a.label('fault');
      a.mov(ds, ax);
    },
  },
  {
    name: 'an access beyond a segment limit is #GP(0)',
    mode: 'protected',
    needs: ['segment-checks'],
    vector: 13,
    errorCode: 0,
    code(a) {
      a.mov(eax, SELECTORS.small);
      a.mov(ds, ax);
      a.mov(dword(0xffc), eax); // the last four bytes
      a.label('fault');
      a.mov(dword(0xffd), eax);
    },
  },
  {
    name: 'an access through a null selector is #GP(0)',
    mode: 'protected',
    needs: ['segment-checks'],
    vector: 13,
    errorCode: 0,
    code(a) {
      a.mov(eax, 0);
      a.mov(ds, ax);
      a.label('fault');
      a.mov(al, byte(DATA));
    },
  },
  {
    name: 'a write to a code segment is #GP(0)',
    mode: 'protected',
    needs: ['segment-checks'],
    vector: 13,
    errorCode: 0,
    code(a) {
      a.label('fault');
      a.mov(dword({ displacement: DATA, segment: cs }), eax);
    },
  },
  {
    name: 'a non-canonical address is #GP(0)',
    vector: 13,
    errorCode: 0,
    code(a) {
      a.mov(rbx, NON_CANONICAL);
      a.label('fault');
      a.mov(rax, qword(rbx));
    },
  },
  {
    name: 'reading an MSR that does not exist is #GP(0)',
    vector: 13,
    errorCode: 0,
    code(a) {
      a.mov(ecx, 0xdead);
      a.label('fault');
      a.rdmsr();
    },
  },
  {
    name: 'writing reserved bits of EFER is #GP(0)',
    vector: 13,
    errorCode: 0,
    code(a) {
      a.mov(ecx, 0xc0000080);
      a.rdmsr();
      a.or(eax, 0x2); // reserved
      a.label('fault');
      a.wrmsr();
    },
  },
  {
    name: 'a stack access beyond the limit of SS is #SS(0)',
    mode: 'protected',
    needs: ['segment-checks'],
    vector: 12,
    errorCode: 0,
    code(a) {
      // The handler runs on the same segment: give it room below the limit.
      a.mov(eax, SELECTORS.small);
      a.mov(ss, ax);
      a.mov(esp, 0xff0);
      a.label('fault');
      a.mov(eax, dword({ displacement: 0x1000, segment: ss }));
    },
  },
];

const doubleFault: ConformanceCase = {
  name: 'a #GP whose gate is missing is a double fault with error code 0',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(eax, 0xff8);
        a.mov(ds, ax);
        a.label('exception 8');
        report(a, 8);
        a.pop(rax);
        reportEax(a);
        done(a);
      },
      vectors: { 8: 'exception 8' },
    });
    assert.deepEqual(machine.finish(), [8, 0]);
  },
};

const realModeInterrupt: ConformanceCase = {
  name: 'real mode takes INT n through the vector table, with FLAGS, CS and IP on the stack and IF clear',
  run(t) {
    const machine = t.machine({
      mode: 'real',
      code(a) {
        a.sti();
        a.int(0x42);
        a.label('after');
        a.pushf();
        a.pop(ax);
        a.and(eax, 0x200);
        reportEax(a); // IF is back
        done(a);
        a.label('handler');
        a.pushf();
        a.pop(ax);
        a.and(eax, 0x200);
        reportEax(a);
        a.mov(bp, sp);
        a.mov(eax, 0);
        a.mov(ax, word(bp)); // IP
        reportEax(a);
        a.mov(ax, word(bp, 4)); // FLAGS
        a.and(eax, 0x200);
        reportEax(a);
        a.iret();
      },
      vectors: { 66: 'handler' },
    });
    assert.deepEqual(machine.finish(), [0, machine.program.address('after'), 0x200, 0x200]);
  },
};

const realModeDivide: ConformanceCase = {
  name: 'real mode takes #DE through the vector table, at the division',
  run(t) {
    const machine = t.machine({
      mode: 'real',
      code(a) {
        a.mov(eax, 0);
        a.label('fault');
        a.div(al);
        exceptionHandler(a, 0);
      },
      vectors: { 0: 'exception 0' },
    });
    assert.deepEqual(machine.finish(), [0, machine.program.address('fault')]);
  },
};

const pageFaultAddress: ConformanceCase = {
  name: 'CR2 is what a page fault left there, until the next one',
  run(t) {
    const machine = t.machine({
      code(a) {
        for (const address of [0x4000_0123_4567n, 0x7000_0000_0008n]) {
          a.mov(rbx, address);
          a.mov(rax, qword(rbx));
        }
        done(a);
        a.label('handler');
        a.mov(rax, cr2);
        reportEax(a);
        a.shr(rax, 32);
        reportEax(a);
        a.add(rsp, 8); // the error code
        a.add(qword(rsp), 3); // the length of the MOV
        a.iret(64);
      },
      vectors: { 14: 'handler' },
    });
    assert.deepEqual(machine.finish(), [0x01234567, 0x4000, 8, 0x7000]);
  },
};

function tripleFault(mode: GuestMode): ConformanceCase {
  return {
    name: `a triple fault in ${mode} mode is a shutdown exit`,
    run(t) {
      const machine = t.machine({
        mode,
        code(a) {
          a.lidt(at('empty'));
          a.int3();
          report(a, 0xbad);
          a.label('empty');
          a.dw(0);
          a.dq(0);
        },
      });
      machine.expect('shutdown');
    },
  };
}

export const exceptionCases: readonly ConformanceCase[] = [
  ...FAULTS.map(faultCase),
  pageFaultAddress,
  doubleFault,
  realModeInterrupt,
  realModeDivide,
  tripleFault('real'),
  tripleFault('protected'),
  tripleFault('long'),
];
