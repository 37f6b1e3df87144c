/** Code that one vCPU rewrites and others execute (Intel SDM Vol. 3A §8.1.3 "Handling Self- and Cross-Modifying Code"). */
import assert from 'node:assert/strict';
import {
  type Assembler,
  byte,
  dword,
  eax,
  ebx,
  ecx,
  edi,
  esi,
  qword,
  rax,
  rbx,
  rdi,
  rsp,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { isDone } from '../exit-data.ts';
import { APIC_ICR_HIGH, APIC_ICR_LOW, done, enableLapic, lapicEoi } from '../guest-code.ts';
import { DATA, SPARE } from '../guest-layout.ts';
import { type Body, barrier, NEEDS_THREADS, parallelGuest, runParallel } from './parallel-guest.ts';

const VCPUS = 3;
const ROUNDS = 200;
const SUM = (ROUNDS * (ROUNDS + 1)) / 2;
/** Page-aligned, so that a function across pages starts three bytes before the next. */
const CODE_PAGE = SPARE + 0x8000;
/** What each vCPU has summed up, 8 bytes apart. */
const SUMS = DATA + 0x8000;
const STACKS = 0x5400;
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

const VECTOR = 0x44;
const INTERRUPTS = 100;
/** How many interrupts vCPU 1 has taken, and whether it is ready and may end. */
const TAKEN = DATA + 0x100;
const STATE = DATA + 0x108;

/** Rewrites the immediate, and interrupts vCPU 1; goes on when that has taken the interrupt. */
function interrupter(a: Assembler): void {
  waitUntil(a, STATE, 1);
  a.mov(dword(APIC_ICR_HIGH), 0x1000000);
  a.mov(esi, 1);
  a.label('send');
  a.mov(dword(CODE_PAGE + 1), esi);
  a.mov(dword(APIC_ICR_LOW), VECTOR);
  a.label('taken');
  a.pause();
  a.cmp(dword(TAKEN), esi);
  a.jcc('ne', 'taken');
  a.inc(esi);
  a.cmp(esi, INTERRUPTS);
  a.jcc('be', 'send');
  a.mov(dword(STATE), 2);
  done(a);
}

/** Executes the code all the time: at least as new as the last interrupt, whose IRET serializes. Counts what is older. */
function interrupted(a: Assembler): void {
  a.mov(edi, 0);
  a.sti();
  a.mov(dword(STATE), 1);
  a.label('call');
  a.mov(esi, dword(TAKEN));
  a.mov(ebx, CODE_PAGE);
  a.call(rbx);
  a.cmp(eax, esi);
  a.jcc('ae', 'new');
  a.inc(edi);
  a.label('new');
  a.cmp(dword(STATE), 2);
  a.jcc('ne', 'call');
  a.cli();
  // Interrupts may have followed each other so closely that nothing was called between the last ones.
  a.call(rbx);
  a.mov(qword(SUMS), rdi);
  a.mov(qword(SUMS + 8), rax);
  done(a);
  a.label('interrupt');
  a.inc(dword(TAKEN));
  lapicEoi(a);
  a.iret();
}

function waitUntil(a: Assembler, address: number, value: number): void {
  const label = `wait at ${a.here}`;
  a.label(label);
  a.pause();
  a.cmp(dword(address), value);
  a.jcc('ne', label);
}

const byInterrupt: ConformanceCase = {
  name: 'code that one vCPU rewrites is executed as it is now by another that it then interrupts',
  needs: ['threads', 'in-kernel-interrupt-controllers'],
  async run(t) {
    const machine = t.machine({
      interruptControllers: 'in-kernel',
      code(a) {
        for (const [id, body] of [interrupter, interrupted].entries()) {
          a.label(`vCPU ${id}`);
          a.mov(rsp, STACKS + id * 0x400);
          enableLapic(a);
          body(a);
        }
      },
      vectors: { [VECTOR]: 'interrupt' },
    });
    machine.memory.write(CODE_PAGE, Uint8Array.from(FUNCTION));
    const threads = [];
    for (const id of [0, 1]) threads.push(await t.thread(machine, id, machine.program.address(`vCPU ${id}`)));
    await threads[1]!.call('setMpState', 'runnable');
    for (const thread of threads) thread.start();
    for (const thread of threads) assert.ok(isDone((await thread.stopped()).exit));
    assert.equal(machine.memory.readU64(SUMS), 0n, 'calls of code from before an interrupt');
    assert.equal(machine.memory.readU64(SUMS + 8), BigInt(INTERRUPTS));
  },
};

export const crossModifyingCodeCases: readonly ConformanceCase[] = [
  rewritten('within a page', CODE_PAGE + 0x40),
  rewritten('across two pages', CODE_PAGE + 0xffd),
  released,
  byInterrupt,
];
