/** Code that one vCPU rewrites and others execute (Intel SDM Vol. 3A §8.1.3 "Handling Self- and Cross-Modifying Code"). */
import assert from 'node:assert/strict';
import { byte, dword, eax, ebx, ecx, edi, esi, qword, rbx, rdi } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { DATA, SPARE } from '../guest-layout.ts';
import { type Body, barrier, NEEDS_THREADS, parallelGuest, runParallel } from './parallel-guest.ts';

const VCPUS = 3;
const ROUNDS = 200;
const SUM = (ROUNDS * (ROUNDS + 1)) / 2;
/** Page-aligned, so that a function across pages starts three bytes before the next. */
const CODE_PAGE = SPARE + 0x8000;
/** What each vCPU has summed up, 8 bytes apart. */
const SUMS = DATA + 0x8000;
/** MOV EAX, imm32; RET. */
const FUNCTION = [0xb8, 0, 0, 0, 0, 0xc3];

/** Rewrites the immediate with the round's number, while the others wait. */
function writer(address: number): Body {
  return (a) => {
    a.mov(esi, 1);
    a.label('write');
    a.mov(dword(address + 1), esi);
    barrier(a, VCPUS);
    barrier(a, VCPUS); // all have executed it
    a.inc(esi);
    a.cmp(esi, ROUNDS);
    a.jcc('be', 'write');
  };
}

/** A serializing instruction comes between the sign that the code is there, and the code. */
function reader(address: number): Body {
  return (a, id) => {
    a.mov(esi, 1);
    a.mov(edi, 0);
    a.label(`read ${id}`);
    barrier(a, VCPUS);
    a.mov(eax, 0);
    a.cpuid();
    a.mov(ebx, address);
    a.call(rbx);
    a.add(edi, eax);
    barrier(a, VCPUS);
    a.inc(esi);
    a.cmp(esi, ROUNDS);
    a.jcc('be', `read ${id}`);
    a.mov(qword(SUMS + id * 8), rdi);
  };
}

function rewritten(where: string, address: number): ConformanceCase {
  return {
    name: `code ${where} that one vCPU rewrites is executed by others as it is now, after CPUID, many times`,
    needs: NEEDS_THREADS,
    async run(t) {
      const bodies = [writer(address), reader(address), reader(address)];
      const machine = t.machine(parallelGuest(bodies));
      machine.memory.write(address, Uint8Array.from(FUNCTION));
      await runParallel(t, machine, VCPUS);
      for (const id of [1, 2]) assert.equal(machine.memory.readU64(SUMS + id * 8), BigInt(SUM));
    },
  };
}

const FLAG = DATA + 0x9000;

/** A jump to itself, of which the writer makes a jump on: one byte, without any synchronization. */
const released: ConformanceCase = {
  name: 'a vCPU that spins in a jump to itself goes on when another rewrites the jump',
  needs: NEEDS_THREADS,
  async run(t) {
    const machine = t.machine(
      parallelGuest([
        (a) => {
          a.label('wait');
          a.pause();
          a.cmp(dword(FLAG), 1);
          a.jcc('ne', 'wait');
          a.mov(ecx, 10_000);
          a.label('delay');
          a.dec(ecx);
          a.jcc('ne', 'delay');
          a.mov(ebx, CODE_PAGE);
          a.mov(byte(rbx, 1), 0);
        },
        (a) => {
          a.mov(ebx, CODE_PAGE);
          a.mov(dword(FLAG), 1);
          a.call(rbx);
        },
      ]),
    );
    machine.memory.write(CODE_PAGE, Uint8Array.of(0xeb, 0xfe, 0xc3)); // JMP $; RET
    await runParallel(t, machine, 2);
  },
};

export const crossModifyingCodeCases: readonly ConformanceCase[] = [
  rewritten('within a page', CODE_PAGE + 0x40),
  rewritten('across two pages', CODE_PAGE + 0xffd),
  released,
];
