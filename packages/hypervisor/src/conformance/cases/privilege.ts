/** Privilege level 3: what it may not do, and its way to level 0 and back (Intel SDM Vol. 3A §5.5 "Privilege Levels"). */
import assert from 'node:assert/strict';
import { type Assembler, al, byte, cr0, dword, eax, qword, rax, rbx, rsp } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, exceptionHandler, report, reportEax } from '../guest-code.ts';
import { DATA, type GuestMode, SELECTORS, STACK_TOP, USER_STACK_TOP } from '../guest-layout.ts';
import type { MachineOptions } from '../machine.ts';
import { enterUserMode } from './user-mode.ts';

function userFault(name: string, mode: GuestMode, write: (a: Assembler) => void): ConformanceCase {
  return {
    name,
    run(t) {
      const options: MachineOptions = {
        mode,
        code(a) {
          enterUserMode(a);
          a.label('fault');
          write(a);
          a.jmp('fault');
          exceptionHandler(a, 13, { errorCode: true });
        },
        vectors: { 13: 'exception 13' },
      };
      const machine = t.machine(options);
      assert.deepEqual(machine.finish(), [13, 0, machine.program.address('fault')]);
    },
  };
}

const userGate: ConformanceCase = {
  name: 'INT n from privilege level 3 switches to the stack in the TSS, and IRET goes back',
  run(t) {
    const machine = t.machine({
      code(a) {
        enterUserMode(a);
        a.int(0x80);
        a.int(0x81);
        a.label('gate 80');
        a.mov(rax, rsp);
        reportEax(a);
        a.mov(rax, qword(rsp, 8)); // CS
        reportEax(a);
        a.mov(rax, qword(rsp, 24)); // RSP
        reportEax(a);
        a.iret(64);
        a.label('gate 81');
        report(a, 0x81);
        done(a);
      },
      userVectors: { 128: 'gate 80', 129: 'gate 81' },
    });
    assert.deepEqual(machine.finish(), [STACK_TOP - 40, SELECTORS.userCode64, USER_STACK_TOP, 0x81]);
  },
};

const privilegedGate: ConformanceCase = {
  name: 'INT n from privilege level 3 through a gate of level 0 is #GP with the gate',
  run(t) {
    const machine = t.machine({
      mode: 'protected', // QEMU's software emulation gives another error code in 64-bit mode
      code(a) {
        enterUserMode(a);
        a.label('fault');
        a.int(0x80);
        exceptionHandler(a, 13, { errorCode: true });
        exceptionHandler(a, 128);
      },
      vectors: { 13: 'exception 13', 128: 'exception 128' },
    });
    assert.deepEqual(machine.finish(), [13, 0x80 * 8 + 2, machine.program.address('fault')]);
  },
};

const CR0_AM = 1 << 18;
const RFLAGS_AC = 1 << 18;

/** AC is the user's own to set: POPF does, before the access that faults and behind those that do not. */
const alignmentCheck: ConformanceCase = {
  name: 'a misaligned access at privilege level 3 is #AC(0) with CR0.AM and RFLAGS.AC, the handler’s own is not',
  needs: ['alignment-checks'],
  run(t) {
    const setFlags = (a: Assembler, flags: number) => {
      a.push(flags);
      a.db(0x9d); // POPFQ
    };
    const machine = t.machine({
      code(a) {
        a.mov(rax, cr0);
        a.or(eax, CR0_AM);
        a.mov(cr0, rax);
        enterUserMode(a);
        a.mov(eax, dword(DATA + 1));
        setFlags(a, RFLAGS_AC | 2);
        a.mov(eax, dword(DATA + 4));
        a.mov(al, byte(DATA + 1));
        setFlags(a, 2);
        a.mov(qword(DATA + 1), rax);
        setFlags(a, RFLAGS_AC | 2);
        a.label('fault');
        a.mov(qword(DATA + 4), rax);
        a.label('#AC');
        a.mov(rbx, qword(DATA + 1));
        exceptionHandler(a, 17, { errorCode: true });
      },
      vectors: { 17: '#AC' },
    });
    assert.deepEqual(machine.finish(), [17, 0, machine.program.address('fault')]);
  },
};

export const privilegeCases: readonly ConformanceCase[] = [
  userGate,
  privilegedGate,
  alignmentCheck,
  userFault('HLT at privilege level 3 is #GP(0)', 'long', (a) => a.hlt()),
  userFault('OUT at privilege level 3 without permission is #GP(0)', 'long', (a) => a.out(0x80, al)),
  userFault('CLI at privilege level 3 is #GP(0)', 'protected', (a) => a.cli()),
];
