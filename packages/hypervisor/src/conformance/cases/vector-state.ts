/** x87, SSE and AVX registers as the host reads and sets them (Intel SDM Vol. 1 §13.4 "XSAVE Area"), and their arithmetic. */
import assert from 'node:assert/strict';
import { at, eax, ecx, edi, edx, rdi, xmm0, xmm1, xmm2 } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, reportEax } from '../guest-code.ts';
import { DATA } from '../guest-layout.ts';
import { enableSse, enableXsave, XCR0_AVX, XCR0_SSE, XCR0_X87 } from '../guest-vector.ts';

// Offsets in the XSAVE area: the legacy region is FXSAVE's.
const FCW = 0;
const FSW = 2;
const MXCSR = 24;
const ST0 = 32;
const XMM0 = 160;
const XSTATE_BV = 512;
const YMM_HIGH = 576;

const PI = Uint8Array.of(0x35, 0xc2, 0x68, 0x21, 0xa2, 0xda, 0x0f, 0xc9, 0x00, 0x40);
const ONE = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f);

function view(area: Uint8Array): DataView {
  return new DataView(area.buffer, area.byteOffset, area.byteLength);
}

function pattern(first: number, lengthBytes: number): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, (_, i) => (first + i * 3) & 0xff);
}

const x87Read: ConformanceCase = {
  name: 'the host reads the x87 stack and control word of the guest',
  needs: ['x87'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.fninit();
        a.mov(edi, DATA);
        a.fldcw(at(rdi));
        a.fldpi();
        a.fld1();
        done(a);
      },
    });
    machine.memory.writeU16(DATA, 0x027f);
    machine.expectDone();
    const { area } = machine.cpu.getExtendedState();
    assert.equal(view(area).getUint16(FCW, true), 0x027f);
    assert.equal((view(area).getUint16(FSW, true) >> 11) & 7, 6, 'TOP after two pushes');
    assert.deepEqual(area.slice(ST0, ST0 + 10), ONE);
    assert.deepEqual(area.slice(ST0 + 16, ST0 + 26), PI);
  },
};

const x87Arithmetic: ConformanceCase = {
  name: 'x87 arithmetic: 3.25 × π + 1 in double precision',
  needs: ['x87'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.fninit();
        a.mov(edi, DATA);
        a.fldDouble(at(rdi));
        a.fldpi();
        a.fmulp();
        a.fld1();
        a.faddp();
        a.fstpDouble(at(rdi, 8));
        done(a);
      },
    });
    const data = new DataView(machine.backing.buffer, DATA);
    data.setFloat64(0, 3.25, true);
    machine.finish();
    assert.ok(Math.abs(data.getFloat64(8, true) - (3.25 * Math.PI + 1)) < 1e-14);
  },
};

const sseRead: ConformanceCase = {
  name: 'the host reads the XMM registers and MXCSR of the guest',
  needs: ['sse'],
  run(t) {
    const machine = t.machine({
      code(a) {
        enableSse(a);
        a.mov(edi, DATA);
        a.movups(xmm1, at(rdi));
        a.ldmxcsr(at(rdi, 16));
        done(a);
      },
    });
    machine.memory.write(DATA, pattern(7, 16));
    machine.memory.writeU32(DATA + 16, 0x5f80);
    machine.expectDone();
    const { area } = machine.cpu.getExtendedState();
    assert.deepEqual(area.slice(XMM0 + 16, XMM0 + 32), pattern(7, 16));
    assert.equal(view(area).getUint32(MXCSR, true), 0x5f80);
  },
};

const sseSet: ConformanceCase = {
  name: 'the guest has the XMM registers and MXCSR that the host set',
  needs: ['sse'],
  run(t) {
    const machine = t.machine({
      code(a) {
        enableSse(a);
        a.mov(edi, DATA);
        a.movups(at(rdi), xmm0);
        a.movups(at(rdi, 16), xmm2);
        a.stmxcsr(at(rdi, 32));
        done(a);
      },
    });
    const { cpu } = machine;
    const state = cpu.getExtendedState();
    state.area.set(pattern(1, 16), XMM0);
    state.area.set(pattern(99, 16), XMM0 + 32);
    view(state.area).setUint32(MXCSR, 0x3f80, true);
    view(state.area).setBigUint64(XSTATE_BV, view(state.area).getBigUint64(XSTATE_BV, true) | 3n, true);
    cpu.setExtendedState(state);
    machine.expectDone();
    assert.deepEqual(machine.memory.view(DATA, 16), pattern(1, 16));
    assert.deepEqual(machine.memory.view(DATA + 16, 16), pattern(99, 16));
    assert.equal(machine.memory.readU32(DATA + 32), 0x3f80);
  },
};

const sseArithmetic: ConformanceCase = {
  name: 'SSE arithmetic on four floats, two doubles and four integers',
  needs: ['sse'],
  run(t) {
    const machine = t.machine({
      code(a) {
        enableSse(a);
        a.mov(edi, DATA);
        a.movups(xmm0, at(rdi));
        a.mulps(xmm0, xmm0);
        a.movups(xmm1, at(rdi, 16));
        a.sqrtpd(xmm1, xmm1);
        a.movups(xmm2, at(rdi, 32));
        a.paddd(xmm2, xmm2);
        a.movups(at(rdi, 0x40), xmm0);
        a.movups(at(rdi, 0x50), xmm1);
        a.movups(at(rdi, 0x60), xmm2);
        done(a);
      },
    });
    const data = new DataView(machine.backing.buffer, DATA);
    const floats = [1.5, -2, 1e10, 0.1].map(Math.fround);
    for (const [i, value] of floats.entries()) data.setFloat32(i * 4, value, true);
    for (const [i, value] of [2, 1e-20].entries()) data.setFloat64(16 + i * 8, value, true);
    for (const i of [0, 1, 2, 3]) data.setUint32(32 + i * 4, 0x7fff_fff0 + i * 8, true);
    machine.finish();
    const read = (i: number) => data.getFloat32(0x40 + i * 4, true);
    assert.deepEqual(
      [0, 1, 2, 3].map(read),
      floats.map((value) => Math.fround(value * value)),
    );
    assert.deepEqual(
      [0, 1].map((i) => data.getFloat64(0x50 + i * 8, true)),
      [Math.sqrt(2), Math.sqrt(1e-20)],
    );
    const sums = [0, 1, 2, 3].map((i) => data.getUint32(0x60 + i * 4, true));
    assert.deepEqual(
      sums,
      [0, 1, 2, 3].map((i) => ((0x7fff_fff0 + i * 8) * 2) % 2 ** 32),
    );
  },
};

const xcr0: ConformanceCase = {
  name: 'XCR0 goes both ways: XSETBV shows in the state, the state in XGETBV',
  needs: ['xsave'],
  run(t) {
    const machine = t.machine({
      code(a) {
        enableSse(a);
        enableXsave(a, XCR0_X87 | XCR0_SSE);
        a.out(0x80, eax);
        a.mov(ecx, 0);
        a.xgetbv();
        a.or(eax, edx);
        reportEax(a);
        done(a);
      },
    });
    machine.expectIo('out', 0x80);
    machine.cpu.completeExit();
    const state = machine.cpu.getExtendedState();
    assert.equal(state.xcr0, 3n);
    machine.cpu.setExtendedState({ ...state, xcr0: 1n });
    assert.deepEqual(machine.finish(), [1]);
  },
};

const avx: ConformanceCase = {
  name: 'the upper halves of the YMM registers go both ways, and XSAVE in the guest has them',
  needs: ['avx', 'xsave'],
  run(t) {
    const machine = t.machine({
      code(a) {
        enableSse(a);
        enableXsave(a, XCR0_X87 | XCR0_SSE | XCR0_AVX);
        a.mov(edi, DATA);
        a.vmovdqu('load', xmm0, at(rdi));
        a.out(0x80, eax);
        a.vmovdqu('store', xmm0, at(rdi, 0x20));
        a.mov(eax, 7);
        a.mov(edx, 0);
        a.xsave(at(rdi, 0x1000));
        done(a);
      },
    });
    machine.memory.write(DATA, pattern(5, 32));
    machine.expectIo('out', 0x80);
    machine.cpu.completeExit();
    const state = machine.cpu.getExtendedState();
    assert.deepEqual(state.area.slice(XMM0, XMM0 + 16), pattern(5, 32).slice(0, 16));
    assert.deepEqual(state.area.slice(YMM_HIGH, YMM_HIGH + 16), pattern(5, 32).slice(16));
    state.area.set(pattern(77, 16), YMM_HIGH);
    machine.cpu.setExtendedState(state);
    machine.expectDone();
    assert.deepEqual(machine.memory.view(DATA + 0x30, 16), pattern(77, 16));
    assert.deepEqual(machine.memory.view(DATA + 0x1000 + YMM_HIGH, 16), pattern(77, 16));
  },
};

export const vectorStateCases: readonly ConformanceCase[] = [
  x87Read,
  x87Arithmetic,
  sseRead,
  sseSet,
  sseArithmetic,
  xcr0,
  avx,
];
