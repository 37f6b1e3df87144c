/**
 * Code that the guest or the host rewrites (Intel SDM Vol. 3A §8.1.3 "Handling Self- and Cross-Modifying Code", §11.6
 * "Self-Modifying Code").
 */
import assert from 'node:assert/strict';
import {
  type Assembler,
  addressOf,
  at,
  byte,
  cl,
  cr3,
  dword,
  eax,
  ebp,
  ebx,
  ecx,
  edi,
  edx,
  esi,
  qword,
  r8,
  r9,
  rax,
  rbx,
  rcx,
  rdi,
  rdx,
  rsp,
  xmm0,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, reportEax } from '../guest-code.ts';
import { CODE, DATA, SPARE } from '../guest-layout.ts';
import { enableSse } from '../guest-vector.ts';
import type { Feature } from '../subject.ts';
import { entriesTo, mapRegion, REGION } from './page-window.ts';

const ROUNDS = 1000;
/** Of 1 to `ROUNDS`. */
const SUM = (ROUNDS * (ROUNDS + 1)) / 2;
/** Address of a function of 8 bytes: MOV EAX, imm32; RET. */
const FUNCTION = SPARE + 0x8000;

function summing(
  name: string,
  round: (a: Assembler) => void,
  needs: ConformanceCase['needs'] = [],
): ConformanceCase {
  return {
    name,
    needs,
    run(t) {
      const machine = t.machine({
        code(a) {
          a.mov(ecx, ROUNDS);
          a.mov(ebx, 0);
          a.label('again');
          round(a);
          a.add(ebx, eax);
          a.dec(ecx);
          a.jcc('ne', 'again');
          a.mov(eax, ebx);
          reportEax(a);
          done(a);
        },
      });
      assert.deepEqual(machine.finish(), [SUM]);
    },
  };
}

const nextInstruction = summing(
  'the next instruction, rewritten, is executed as it is now',
  (a) => {
    a.mov(dword('patched', 1), ecx);
    a.label('patched');
    a.mov(eax, 0);
  },
  ['prompt-code-changes'],
);

const laterByte: ConformanceCase = {
  name: 'an instruction a few further on, of which one byte is rewritten, is executed as it is now',
  needs: ['prompt-code-changes'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(ecx, 200);
        a.mov(ebx, 0);
        a.label('again');
        a.mov(byte('patched', 1), cl);
        a.nop();
        a.add(ebx, ecx);
        a.label('patched');
        a.mov(eax, 0);
        a.sub(ebx, eax);
        a.dec(ecx);
        a.jcc('ne', 'again');
        a.mov(eax, ebx);
        reportEax(a);
        done(a);
      },
    });
    assert.deepEqual(machine.finish(), [0]);
  },
};

const acrossPages = summing('an instruction across two pages is rewritten in both', (a) => {
  a.mov(dword('patched', 1), ecx);
  a.jmp('patched');
  a.org(CODE + 0xffd);
  a.label('patched');
  a.mov(eax, 0);
});

const secondPage = summing('an instruction across two pages is rewritten in the second', (a) => {
  a.mov(eax, 0x90000000); // the NOP behind it
  a.or(eax, ecx);
  a.mov(dword('patched', 2), eax); // from the second page's start on: all but the immediate's lowest byte
  a.jmp('patched');
  a.org(CODE + 0xffe);
  a.label('patched');
  a.mov(eax, 0);
  a.nop();
  a.shr(eax, 8);
});

/** ADD doubles its own immediate, which lies behind opcode, ModRM and displacement. */
const itself: ConformanceCase = {
  name: 'an instruction that overwrites itself goes on as it was fetched, and is another the next time',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(ecx, 10);
        a.mov(edi, addressOf('patched'));
        a.label('patched');
        a.add(dword(rdi, 3), 0x1001);
        a.dec(ecx);
        a.jcc('ne', 'patched');
        a.mov(eax, dword(rdi, 3));
        reportEax(a);
        done(a);
      },
    });
    assert.deepEqual(machine.finish(), [0x1001 << 10]);
  },
};

interface Writer {
  readonly name: string;
  readonly needs?: readonly Feature[];
  /** Writes RAX to the 8 bytes at RDI = `FUNCTION`; RCX and RBX stay as they are. */
  readonly write: (a: Assembler) => void;
}

function savingCounter(a: Assembler, work: () => void): void {
  for (const register of [rbx, rcx]) a.push(register);
  work();
  for (const register of [rcx, rbx]) a.pop(register);
}

const WRITERS: readonly Writer[] = [
  { name: 'MOV', write: (a) => a.mov(qword(rdi), rax) },
  { name: 'MOV of one byte', write: (a) => a.mov(byte(rdi, 1), cl) },
  { name: 'XCHG', write: (a) => a.xchg(qword(rdi), rax) },
  { name: 'LOCK ADD', write: (a) => [a.sub(rax, qword(rdi)), a.lock(), a.add(qword(rdi), rax)] },
  { name: 'XADD', write: (a) => [a.sub(rax, qword(rdi)), a.xadd(qword(rdi), rax)] },
  {
    name: 'PUSH',
    write: (a) => [a.mov(r8, rsp), a.mov(rsp, FUNCTION + 8), a.push(rax), a.mov(rsp, r8)],
  },
  {
    name: 'LOCK CMPXCHG',
    write: (a) => [a.mov(rdx, rax), a.mov(rax, qword(rdi)), a.lock(), a.cmpxchg(qword(rdi), rdx)],
  },
  {
    name: 'LOCK CMPXCHG16B',
    needs: ['cmpxchg16b'],
    write: (a) =>
      savingCounter(a, () => {
        a.mov(rbx, rax);
        a.mov(ecx, 0);
        a.mov(rax, qword(rdi));
        a.mov(rdx, qword(rdi, 8));
        a.lock();
        a.cmpxchg16b(at(rdi));
      }),
  },
  { name: 'REP STOS', write: (a) => savingCounter(a, () => [a.mov(ecx, 1), a.rep(), a.stos(64)]) },
  {
    name: 'REP MOVS',
    write: (a) =>
      savingCounter(a, () => {
        a.mov(qword(DATA), rax);
        a.mov(esi, DATA);
        a.mov(ecx, 8);
        a.rep();
        a.movs(8);
      }),
  },
  { name: 'MOVUPS', needs: ['sse'], write: (a) => [a.movq(xmm0, rax), a.movups(at(rdi), xmm0)] },
];

/** Low byte of the round's number only where one byte is written. */
function writtenFunction({ name, needs = [], write }: Writer): ConformanceCase {
  return {
    name: `a function rewritten by ${name} is executed as it is now, a thousand times`,
    needs,
    run(t) {
      const machine = t.machine({
        code(a) {
          if (needs.includes('sse')) enableSse(a);
          a.mov(ecx, ROUNDS);
          a.mov(ebx, 0);
          a.mov(ebp, FUNCTION);
          a.mov(r9, 0x9090_c300_0000_00b8n);
          a.label('again');
          a.mov(eax, ecx);
          a.and(eax, 0xff);
          a.shl(rax, 8);
          a.or(rax, r9);
          a.mov(edi, FUNCTION);
          write(a);
          a.mov(rdi, FUNCTION);
          a.call(rdi);
          a.add(ebx, eax);
          a.dec(ecx);
          a.jcc('ne', 'again');
          a.mov(eax, ebx);
          reportEax(a);
          done(a);
        },
      });
      machine.memory.writeU64(FUNCTION, 0x9090_c300_0000_00b8n);
      const expected = Array.from({ length: ROUNDS }, (_, i) => (i + 1) & 0xff);
      assert.deepEqual(machine.finish(), [expected.reduce((sum, it) => sum + it)]);
    },
  };
}

/** §8.1.3 asks for a serializing instruction where the addresses differ. */
const alias: ConformanceCase = {
  name: 'code rewritten through another linear address is executed as it is now, after CPUID',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(esi, 200);
        a.mov(edi, 0);
        a.mov(r8, REGION);
        a.label('again');
        a.mov(dword(r8, 1), esi);
        a.mov(eax, 0);
        a.cpuid();
        a.mov(ebx, FUNCTION);
        a.call(rbx);
        a.add(edi, eax);
        a.dec(esi);
        a.jcc('ne', 'again');
        a.mov(eax, edi);
        reportEax(a);
        done(a);
      },
    });
    mapRegion(machine, entriesTo(FUNCTION));
    machine.memory.writeU64(FUNCTION, 0x9090_c300_0000_00b8n);
    assert.deepEqual(machine.finish(), [(200 * 201) / 2]);
  },
};

const overwrittenAhead: ConformanceCase = {
  name: 'REP STOS over the code behind it, which was executed before',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(edx, 0);
        a.label('again');
        a.mov(edi, addressOf('ahead'));
        a.mov(ecx, 32);
        a.mov(eax, 0x90); // NOP
        a.cmp(edx, 0);
        a.jcc('e', 'ahead'); // the first time the code is run as it was assembled
        a.rep();
        a.stos(8);
        a.label('ahead');
        for (let i = 0; i < 16; i++) a.inc(ebx);
        a.inc(edx);
        a.cmp(edx, 3);
        a.jcc('ne', 'again');
        a.mov(eax, ebx);
        reportEax(a);
        done(a);
      },
    });
    assert.deepEqual(machine.finish(), [16]);
  },
};

/** As a disk's DMA does to a page that the guest maps anew. */
const byHost: ConformanceCase = {
  name: 'code that the host rewrites between exits is executed as it is now, after a load of CR3',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(ebx, FUNCTION);
        a.label('again');
        a.mov(rax, cr3);
        a.mov(cr3, rax);
        a.call(rbx);
        reportEax(a);
        a.cmp(eax, 0);
        a.jcc('ne', 'again');
        done(a);
      },
    });
    const write = (value: number) =>
      machine.memory.write(FUNCTION, Uint8Array.of(0xb8, value, 0, 0, 0, 0xc3));
    write(50);
    const reports = machine.finish({ onReport: (value) => write(value - 1) });
    assert.deepEqual(
      reports,
      Array.from({ length: 51 }, (_, i) => 50 - i),
    );
  },
};

/** REP INS: the host's answer is the code. */
const byString: ConformanceCase = {
  name: 'code that REP INS brings is executed as it is now',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(esi, 20);
        a.label('again');
        a.mov(ecx, 6);
        a.mov(edx, 0x71);
        a.mov(edi, FUNCTION);
        a.rep();
        a.ins(8);
        a.mov(ebx, FUNCTION);
        a.call(rbx);
        reportEax(a);
        a.dec(esi);
        a.jcc('ne', 'again');
        done(a);
      },
    });
    let bytes: number[] = [];
    let next = 0;
    const reports = machine.finish({
      serve(exit) {
        if (exit.kind !== 'io' || exit.direction !== 'in') return false;
        for (let i = 0; i < exit.count; i++) {
          if (bytes.length === 0) bytes = [0xb8, ++next, 0, 0, 0, 0xc3];
          exit.data.setUint8(i, bytes.shift()!);
        }
        return true;
      },
    });
    assert.deepEqual(
      reports,
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
  },
};

export const selfModifyingCodeCases: readonly ConformanceCase[] = [
  nextInstruction,
  laterByte,
  acrossPages,
  secondPage,
  itself,
  ...WRITERS.map(writtenFunction),
  alias,
  overwrittenAhead,
  byHost,
  byString,
];
