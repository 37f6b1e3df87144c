/**
 * Calls through gates to a more privileged level and back, also from compatibility mode to 64-bit code (Intel SDM Vol. 3A
 * §5.8.3 "Call Gates", §5.8.5 "Stack Switching", §5.8.6 "Returning from a Called Procedure").
 */
import assert from 'node:assert/strict';
import { type Assembler, addressOf, cs, dword, eax, esp, qword, rax, rsp, ss } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, reportEax, reportWide, wideReports } from '../guest-code.ts';
import { SELECTORS, STACK_TOP, USER_STACK_TOP } from '../guest-layout.ts';
import { faultCase } from './fault-case.ts';
import { OWN, setCallGate } from './own-descriptors.ts';
import { enterUserMode, IOPL_3 } from './user-mode.ts';

const GP = 13;
const GATE = OWN[0];

/** CALL ptr16:32. */
function callFar(a: Assembler, selector: number): void {
  a.db(0x9a);
  a.dd(0); // a gate has an offset of its own
  a.dw(selector);
}

function reportDword(a: Assembler, offset: number): void {
  a.mov(eax, dword(esp, offset));
  reportEax(a);
}

const withParameters: ConformanceCase = {
  name: 'a call gate switches to the stack of its level and takes parameters along; RET n goes back',
  run(t) {
    const machine = t.machine({
      mode: 'protected',
      code(a) {
        enterUserMode(a, IOPL_3);
        a.push(0x1111);
        a.push(0x2222);
        callFar(a, GATE | 3);
        a.label('after');
        a.mov(eax, cs);
        reportEax(a);
        a.mov(eax, esp);
        reportEax(a);
        done(a);
        a.label('gate');
        a.mov(eax, esp);
        reportEax(a);
        for (const offset of [0, 4, 8, 12, 16, 20]) reportDword(a, offset);
        a.mov(eax, ss);
        reportEax(a);
        a.db(0xca, 8, 0); // RETF 8
      },
    });
    setCallGate(machine, GATE, { to: SELECTORS.code32, label: 'gate', dpl: 3, parameters: 2 });
    const [sp, ip, ...rest] = machine.finish();
    assert.deepEqual([sp, ip], [STACK_TOP - 24, machine.program.address('after')]);
    const frame = [SELECTORS.userCode32, 0x2222, 0x1111, USER_STACK_TOP - 8, SELECTORS.userData];
    assert.deepEqual(rest, [...frame, SELECTORS.data, SELECTORS.userCode32, USER_STACK_TOP]);
  },
};

const sameLevel: ConformanceCase = {
  name: 'a call gate to code of the same level keeps the stack',
  run(t) {
    const machine = t.machine({
      mode: 'protected',
      code(a) {
        callFar(a, GATE);
        a.label('after');
        a.mov(eax, esp);
        reportEax(a);
        done(a);
        a.label('gate');
        for (const offset of [0, 4]) reportDword(a, offset);
        a.retFar();
      },
    });
    setCallGate(machine, GATE, { to: SELECTORS.code32, label: 'gate', dpl: 0, parameters: 3 });
    const after = machine.program.address('after');
    assert.deepEqual(machine.finish(), [after, SELECTORS.code32, STACK_TOP]);
  },
};

const compatibility: ConformanceCase = {
  name: 'code of compatibility mode calls 64-bit code through a gate, and RETF goes back',
  run(t) {
    const machine = t.machine({
      code(a) {
        enterUserMode(a, IOPL_3);
        a.push(SELECTORS.userCode32);
        a.push(addressOf('compatible'));
        a.retFar();
        a.bits(32);
        a.label('compatible');
        callFar(a, GATE | 3);
        a.label('after');
        a.mov(eax, cs);
        reportEax(a);
        a.mov(eax, esp);
        reportEax(a);
        done(a);
        a.bits(64);
        a.label('gate');
        a.mov(rax, rsp);
        reportWide(a, rax);
        for (const offset of [0, 8, 16, 24]) {
          a.mov(rax, qword(rsp, offset));
          reportWide(a, rax);
        }
        a.mov(eax, ss);
        reportEax(a);
        a.retFar();
      },
    });
    setCallGate(machine, GATE, { to: SELECTORS.code64, label: 'gate', dpl: 3 });
    const reports = machine.finish();
    const after = machine.program.address('after');
    const frame = [STACK_TOP - 32, after, SELECTORS.userCode32, USER_STACK_TOP, SELECTORS.userData];
    assert.deepEqual(wideReports(reports.slice(0, 10)), frame.map(BigInt));
    // The stack of the inner level has a null selector.
    assert.deepEqual(reports.slice(10), [0, SELECTORS.userCode32, USER_STACK_TOP]);
  },
};

const privileged: ConformanceCase = faultCase({
  name: 'a call gate of level 0 is not for level 3: #GP(gate)',
  ...{ mode: 'protected', vector: GP, errorCode: GATE },
  prepare: (machine) => setCallGate(machine, GATE, { to: SELECTORS.code32, label: 'fault', dpl: 0 }),
  code(a) {
    enterUserMode(a);
    a.label('fault');
    callFar(a, GATE | 3);
  },
});

const jumpInwards: ConformanceCase = faultCase({
  name: 'a jump through a call gate to a more privileged level is #GP(code segment)',
  ...{ mode: 'protected', vector: GP, errorCode: SELECTORS.code32 },
  prepare: (machine) => setCallGate(machine, GATE, { to: SELECTORS.code32, label: 'fault', dpl: 3 }),
  code(a) {
    enterUserMode(a);
    a.label('fault');
    a.jmpFar(GATE | 3, 0);
  },
});

const narrow: ConformanceCase = faultCase({
  name: 'a call gate of long mode to 32-bit code is #GP(code segment)',
  ...{ vector: GP, errorCode: SELECTORS.code32 },
  prepare: (machine) => setCallGate(machine, GATE, { to: SELECTORS.code32, label: 'fault', dpl: 0 }),
  code(a) {
    a.mov(dword(rsp, -16), 0);
    a.mov(dword(rsp, -12), GATE);
    a.label('fault');
    a.callFarMemory({ ...dword(rsp, -16), bits: 0 }, 32);
  },
});

export const callGateCases: readonly ConformanceCase[] = [
  withParameters,
  sameLevel,
  compatibility,
  privileged,
  jumpInwards,
  narrow,
];
