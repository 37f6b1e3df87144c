/** Small programs: strings, loops, recursion, exchanges, code that changes itself. */
import assert from 'node:assert/strict';
import {
  type Assembler,
  al,
  bl,
  byte,
  dword,
  eax,
  ecx,
  edi,
  edx,
  esi,
  qword,
  r9,
  r10,
  rax,
  rbx,
  rcx,
  rdi,
  rdx,
  rsi,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, report, reportEax, reportWide, wideReports, xorshift } from '../guest-code.ts';
import { DATA } from '../guest-layout.ts';

function stringProgram(a: Assembler): void {
  a.mov(esi, DATA);
  a.mov(edi, DATA + 0x1000);
  a.mov(ecx, 0x1001);
  a.rep();
  a.movs(8);
  a.mov(rax, 0x0102030405060708n);
  a.mov(edi, DATA + 0x8000 + 8 * 15);
  a.mov(ecx, 16);
  a.std();
  a.rep();
  a.stos(64);
  a.cld();
  a.mov(esi, DATA);
  a.mov(edi, DATA + 0x4000);
  a.mov(ecx, 0x400);
  a.rep();
  a.cmps(32); // stops after the difference at 0x123 * 4
  a.mov(eax, ecx);
  reportEax(a);
  a.mov(edi, DATA);
  a.mov(ecx, 0x1000);
  a.mov(al, 0xee);
  a.repne();
  a.scas(8);
  a.mov(eax, edi);
  reportEax(a);
  done(a);
}

const strings: ConformanceCase = {
  name: 'MOVS, STOS, CMPS and SCAS of every size, forwards and backwards',
  run(t) {
    const machine = t.machine({
      code: stringProgram,
    });
    const source = Uint8Array.from({ length: 0x1000 }, (_, i) => (i * 5 + (i >> 8)) % 0xee);
    source[0x777] = 0xee;
    machine.memory.write(DATA, source);
    machine.memory.write(DATA + 0x4000, source);
    machine.memory.writeU32(DATA + 0x4000 + 0x123 * 4, 0xffffffff);
    assert.deepEqual(machine.finish(), [0x400 - 0x124, DATA + 0x778]);
    // The copy overlaps its source's last byte: MOVS goes byte after byte.
    assert.deepEqual(machine.memory.view(DATA + 0x1000, 0x1000), source);
    assert.equal(machine.memory.readU8(DATA + 0x2000), source[0]);
    for (let i = 0; i < 16; i++)
      assert.equal(machine.memory.readU64(DATA + 0x8000 + i * 8), 0x0102030405060708n);
  },
};

const manyRounds: ConformanceCase = {
  name: 'a loop of 100,000 rounds of xorshift',
  run(t) {
    const rounds = 100_000;
    const machine = t.machine({
      code(a) {
        a.mov(rax, 0x9e3779b97f4a7c15n);
        a.mov(ecx, rounds);
        a.label('round');
        xorshift(a, rax, rbx);
        a.dec(ecx);
        a.jcc('ne', 'round');
        reportWide(a, rax);
        done(a);
      },
    });
    let x = 0x9e3779b97f4a7c15n;
    for (let i = 0; i < rounds; i++) {
      x ^= BigInt.asUintN(64, x << 13n);
      x ^= x >> 7n;
      x ^= BigInt.asUintN(64, x << 17n);
    }
    assert.deepEqual(wideReports(machine.finish()), [x]);
  },
};

const recursion: ConformanceCase = {
  name: 'recursive calls: fib(16)',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(edi, 16);
        a.call('fib');
        reportEax(a);
        done(a);
        a.label('fib');
        a.mov(eax, edi);
        a.cmp(edi, 2);
        a.jcc('b', 'end');
        a.push(rdi);
        a.dec(edi);
        a.call('fib');
        a.pop(rdi);
        a.push(rax);
        a.sub(edi, 2);
        a.call('fib');
        a.pop(rdx);
        a.add(eax, edx);
        a.label('end');
        a.ret();
      },
    });
    assert.deepEqual(machine.finish(), [987]);
  },
};

const selfModifying: ConformanceCase = {
  name: 'code that a guest changes runs as changed',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(ecx, 0);
        a.label('round');
        a.label('patched');
        a.mov(eax, 0x11111111);
        reportEax(a);
        a.add(dword('patched', 1), 0x01010101);
        a.inc(ecx);
        a.cmp(ecx, 5);
        a.jcc('ne', 'round');
        done(a);
      },
    });
    const expected = [0, 1, 2, 3, 4].map((i) => 0x11111111 + i * 0x01010101);
    assert.deepEqual(machine.finish(), expected);
  },
};

const exchanges: ConformanceCase = {
  name: 'XCHG, XADD, CMPXCHG and CMPXCHG8B in memory',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(esi, DATA);
        a.mov(eax, 7);
        a.xchg(dword(rsi), eax); // 5 → 7, EAX 5
        reportEax(a);
        a.lock();
        a.xadd(dword(rsi), eax); // 7 → 12, EAX 7
        reportEax(a);
        a.mov(edx, 99);
        a.lock();
        a.cmpxchg(dword(rsi), edx); // 12 ≠ 7: EAX 12
        reportEax(a);
        a.lock();
        a.cmpxchg(dword(rsi), edx); // → 99
        a.mov(eax, 1);
        a.mov(edx, 2);
        a.mov(rbx, 3);
        a.mov(ecx, 4);
        a.lock();
        a.cmpxchg8b(qword(rsi, 8));
        a.setcc('e', al);
        a.movzx(eax, al);
        reportEax(a);
        done(a);
      },
    });
    machine.memory.writeU32(DATA, 5);
    machine.memory.writeU64(DATA + 8, 0x2_0000_0001n);
    assert.deepEqual(machine.finish(), [5, 7, 12, 1]);
    assert.equal(machine.memory.readU32(DATA), 99);
    assert.equal(machine.memory.readU64(DATA + 8), 0x4_0000_0003n);
  },
};

const compareExchange16: ConformanceCase = {
  name: 'CMPXCHG16B exchanges 16 bytes, or loads them',
  needs: ['cmpxchg16b'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(esi, DATA);
        a.mov(rax, 1);
        a.mov(rdx, 2);
        a.mov(rbx, 0x1111);
        a.mov(rcx, 0x2222);
        for (let i = 0; i < 2; i++) {
          a.lock();
          a.cmpxchg16b(qword(rsi));
          a.setcc('e', byte(rsi, 32 + i));
        }
        a.mov(qword(rsi, 16), rax);
        a.mov(qword(rsi, 24), rdx);
        done(a);
      },
    });
    machine.memory.writeU64(DATA, 1n);
    machine.memory.writeU64(DATA + 8, 2n);
    machine.finish();
    const words = [0, 8, 16, 24].map((offset) => machine.memory.readU64(DATA + offset));
    assert.deepEqual(words, [0x1111n, 0x2222n, 0x1111n, 0x2222n]);
    assert.deepEqual([machine.memory.readU8(DATA + 32), machine.memory.readU8(DATA + 33)], [1, 0]);
  },
};

const bits: ConformanceCase = {
  name: 'BSF, BSR, BT with a far bit, BSWAP, CMOV and SETcc',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rbx, 0x0000_8000_0001_0000n);
        a.bsf(rax, rbx);
        reportEax(a);
        a.bsr(rax, rbx);
        reportEax(a);
        a.mov(esi, DATA);
        a.mov(r9, 1000);
        a.bts(qword(rsi), r9);
        a.setcc('b', bl);
        a.movzx(eax, bl);
        reportEax(a);
        a.mov(rax, 0x0102030405060708n);
        a.bswap(rax);
        reportWide(a, rax);
        a.mov(r10, -5);
        a.mov(r9, 3);
        a.cmp(r10, r9);
        a.cmov('l', rax, r9);
        reportEax(a);
        a.cmp(r10, r9);
        a.cmov('b', rax, r10); // not taken: unsigned
        reportEax(a);
        report(a, 0xe0d);
        done(a);
      },
    });
    assert.deepEqual(machine.finish(), [16, 47, 0, 0x04030201, 0x08070605, 3, 3, 0xe0d]);
    assert.equal(machine.memory.readU8(DATA + 125), 1);
  },
};

export const programCases: readonly ConformanceCase[] = [
  strings,
  manyRounds,
  recursion,
  selfModifying,
  exchanges,
  compareExchange16,
  bits,
];
