/**
 * Exceptions of the x87 and SSE units, and their being off (Intel SDM Vol. 3A §2.5 "Control Registers", §6.15 "Interrupt
 * 7—Device Not Available Exception (#NM)", "Interrupt 16—x87 FPU Floating-Point Error (#MF)", "Interrupt 19—SIMD
 * Floating-Point Exception (#XM)").
 */
import assert from 'node:assert/strict';
import { type Assembler, at, cr0, cr4, dword, eax, edi, rax, rdi, xmm0, xmm1 } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, report, reportEax } from '../guest-code.ts';
import { DATA } from '../guest-layout.ts';
import { enableSse } from '../guest-vector.ts';
import { type Fault, faultCase } from './fault-case.ts';

const UD = 6;
const NM = 7;
const MF = 16;
const XM = 19;
const CR0_MP = 1 << 1;
const CR0_EM = 1 << 2;
const CR0_TS = 1 << 3;
const CR4_OSXMMEXCPT = 1 << 10;
/** Everything masked but division by zero. */
const X87_UNMASKED = 0x37b;
const MXCSR_UNMASKED = 0x1d80;

function setCr0(a: Assembler, { set = 0, clear = 0 }): void {
  a.mov(rax, cr0);
  a.and(rax, ~(CR0_MP | CR0_EM | CR0_TS | clear));
  a.or(rax, set);
  a.mov(cr0, rax);
}

/** ST(0) ← 1 ÷ 0, with the exception unmasked or masked as the control word says. */
function divideByZero(a: Assembler, control: number): void {
  a.fninit();
  a.mov(edi, DATA);
  a.mov(dword(rdi), control);
  a.fldcw(at(rdi));
  a.fld1();
  a.fldz();
  a.db(0xde, 0xf9); // FDIVP
}

function divideVectors(a: Assembler): void {
  a.mov(edi, DATA);
  a.mov(dword(rdi), MXCSR_UNMASKED);
  a.ldmxcsr(at(rdi));
  a.pcmpeqd(xmm0, xmm0);
  a.db(0x66, 0x0f, 0x72, 0xd0, 0x1f); // PSRLD XMM0, 31: a denormal in each lane
  a.pxor(xmm1, xmm1);
  a.db(0x0f, 0x5b, 0xc0); // CVTDQ2PS XMM0, XMM0: 1 in each lane
  a.label('fault');
  a.db(0x0f, 0x5e, 0xc1); // DIVPS XMM0, XMM1
}

const OFF: readonly Fault[] = [
  {
    name: 'an x87 instruction with CR0.TS is #NM',
    ...{ needs: ['x87'], vector: NM },
    code: (a) => [setCr0(a, { set: CR0_TS }), a.label('fault'), a.fld1()],
  },
  {
    name: 'an x87 instruction with CR0.EM is #NM',
    ...{ needs: ['x87'], vector: NM },
    code: (a) => [setCr0(a, { set: CR0_EM }), a.label('fault'), a.fld1()],
  },
  {
    name: 'an SSE instruction with CR0.TS is #NM',
    ...{ needs: ['sse'], vector: NM },
    code: (a) => [enableSse(a), setCr0(a, { set: CR0_TS }), a.label('fault'), a.paddd(xmm0, xmm1)],
  },
  {
    name: 'an SSE instruction with CR0.EM is #UD',
    ...{ needs: ['sse'], vector: UD },
    code: (a) => [enableSse(a), setCr0(a, { set: CR0_EM }), a.label('fault'), a.paddd(xmm0, xmm1)],
  },
  {
    name: 'an SSE instruction without CR4.OSFXSR is #UD',
    ...{ needs: ['sse'], vector: UD },
    code: (a) => [setCr0(a, {}), a.label('fault'), a.paddd(xmm0, xmm1)],
  },
  {
    name: 'FWAIT with CR0.MP and CR0.TS is #NM',
    ...{ needs: ['x87'], vector: NM },
    code: (a) => [setCr0(a, { set: CR0_MP | CR0_TS }), a.label('fault'), a.fwait()],
  },
  {
    name: 'FXSAVE with CR0.TS is #NM',
    ...{ needs: ['sse'], vector: NM },
    code: (a) => [a.mov(edi, DATA), setCr0(a, { set: CR0_TS }), a.label('fault'), a.fxsave(at(rdi))],
  },
];

const UNMASKED: readonly Fault[] = [
  {
    name: 'an unmasked x87 exception is #MF, at the next waiting instruction',
    ...{ needs: ['x87', 'float-exceptions'], vector: MF },
    code(a) {
      setCr0(a, {});
      divideByZero(a, X87_UNMASKED);
      a.fnstsw(at(rdi)); // does not wait
      a.label('fault');
      a.fld1();
    },
  },
  {
    name: 'FWAIT raises the #MF that is pending',
    ...{ needs: ['x87'], vector: MF },
    code(a) {
      setCr0(a, {});
      divideByZero(a, X87_UNMASKED);
      a.label('fault');
      a.fwait();
    },
  },
  {
    name: 'an unmasked SSE exception is #XM at its instruction',
    ...{ needs: ['sse', 'float-exceptions'], vector: XM },
    code: (a) => [enableSse(a), divideVectors(a)],
  },
  {
    name: 'an unmasked SSE exception without CR4.OSXMMEXCPT is #UD',
    ...{ needs: ['sse', 'float-exceptions'], vector: UD },
    code(a) {
      enableSse(a);
      a.mov(rax, cr4);
      a.and(rax, ~CR4_OSXMMEXCPT);
      a.mov(cr4, rax);
      divideVectors(a);
    },
  },
];

const masked: ConformanceCase = {
  name: 'FWAIT without CR0.MP ignores CR0.TS; CLTS turns the units on',
  needs: ['x87'],
  run(t) {
    const machine = t.machine({
      code(a) {
        setCr0(a, { set: CR0_TS });
        a.fwait();
        report(a, 1);
        a.clts();
        a.fninit();
        a.mov(edi, DATA);
        a.fld1();
        a.fldz();
        a.db(0xde, 0xf9); // FDIVP: masked, so that it is infinite
        a.mov(eax, 0);
        a.db(0xdf, 0xe0); // FNSTSW AX
        reportEax(a);
        done(a);
      },
    });
    // ZE, and the top of the stack at 7.
    assert.deepEqual(machine.finish(), [1, 0x3804]);
  },
};

export const unitExceptionCases: readonly ConformanceCase[] = [
  ...OFF.map(faultCase),
  ...UNMASKED.map(faultCase),
  masked,
];
