/**
 * REP instructions that page faults and interrupts break off: registers show how far they came, and they are finished (Intel SDM Vol. 2B
 * "REP/REPE/REPZ/REPNE/REPNZ—Repeat String Operation Prefix").
 */
import assert from 'node:assert/strict';
import {
  type Assembler,
  cr2,
  dword,
  eax,
  ecx,
  edi,
  esi,
  qword,
  rax,
  rcx,
  rdi,
  rsi,
  rsp,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import {
  APIC_DIVIDE,
  APIC_INITIAL_COUNT,
  APIC_LVT_TIMER,
  done,
  enableLapic,
  lapicEoi,
  reportEax,
} from '../guest-code.ts';
import { DATA, SPARE } from '../guest-layout.ts';
import { ALL_RIGHTS, ENTRY_AT, entriesTo, mapRegion, REGION } from './page-window.ts';

const PAGE = 0x1000;
const BYTES = 0x2800;
const FRAMES = SPARE + 0x8000;

/** Reports RCX, and RSI and RDI from the region's start; maps the page that is missing, and goes on. */
function mappingHandler(a: Assembler): void {
  a.label('page fault');
  a.push(rax);
  for (const register of [rcx, rsi, rdi]) {
    a.mov(rax, register);
    reportEax(a);
  }
  a.mov(rax, cr2);
  reportEax(a);
  a.shr(eax, 12);
  a.shl(eax, 3);
  a.push(rcx);
  a.mov(ecx, eax);
  a.shl(eax, 9);
  a.or(eax, FRAMES | Number(ALL_RIGHTS));
  a.add(rcx, ENTRY_AT.table);
  a.mov(qword(rcx), rax);
  a.pop(rcx);
  a.pop(rax);
  a.add(rsp, 8);
  a.iret();
}

interface Faulting {
  readonly name: string;
  readonly bytes: 1 | 2 | 4 | 8;
  readonly backwards?: boolean;
  readonly operation: (a: Assembler, bits: 8 | 16 | 32 | 64) => void;
  readonly moves: boolean;
}

const FAULTING: readonly Faulting[] = [
  { name: 'REP STOSB', bytes: 1, moves: false, operation: (a, bits) => a.stos(bits) },
  { name: 'REP STOSQ', bytes: 8, moves: false, operation: (a, bits) => a.stos(bits) },
  { name: 'REP MOVSB', bytes: 1, moves: true, operation: (a, bits) => a.movs(bits) },
  { name: 'REP MOVSD', bytes: 4, moves: true, operation: (a, bits) => a.movs(bits) },
  {
    name: 'REP MOVSW downwards',
    bytes: 2,
    moves: true,
    backwards: true,
    operation: (a, bits) => a.movs(bits),
  },
];

/** Starts half a page into the region: two boundaries lie ahead, with nothing mapped behind them. */
function stringFault({ name, bytes, moves, backwards = false, operation }: Faulting): ConformanceCase {
  const count = BYTES / bytes;
  const first = backwards ? PAGE / 2 + BYTES - bytes : PAGE / 2;
  return {
    name: `${name} over pages that are mapped one by one shows how far it came, and is finished`,
    run(t) {
      const machine = t.machine({
        code(a) {
          a.mov(rdi, REGION + first);
          a.mov(esi, DATA + first);
          a.mov(rax, 0x5a5a5a5a5a5a5a5an);
          a.mov(ecx, count);
          if (backwards) a.std();
          a.rep();
          operation(a, (bytes * 8) as 8);
          a.cld();
          for (const register of [rcx, rsi, rdi]) {
            a.mov(rax, register);
            reportEax(a);
          }
          done(a);
          mappingHandler(a);
        },
        vectors: { 14: 'page fault' },
      });
      mapRegion(machine, { ...entriesTo(DATA), table: 0n });
      for (let i = 0; i < 4 * PAGE; i++) machine.memory.writeU8(DATA + i, moves ? i % 251 : 0x5a);
      const source = moves ? DATA : undefined;
      assert.deepEqual(machine.finish(), expectedReports(first, bytes, backwards, source));
      const [from, to] = [PAGE / 2, PAGE / 2 + BYTES];
      const written = machine.memory.view(FRAMES, 4 * PAGE);
      assert.deepEqual(written.slice(from, to), machine.memory.view(DATA, 4 * PAGE).slice(from, to));
      assert.ok(written.slice(0, from).every((it) => it === 0));
      assert.ok(written.slice(to).every((it) => it === 0));
    },
  };
}

/** At each fault, and at the end: RCX, RSI, RDI; the fault's address. `source`: where RSI's page 0 is, if it moves. */
function expectedReports(first: number, bytes: number, backwards: boolean, source?: number): number[] {
  const reports: number[] = [];
  const step = backwards ? -bytes : bytes;
  let page = -1;
  let offset = first;
  let left = BYTES / bytes;
  const push = () => reports.push(left, source === undefined ? DATA + first : source + offset, offset);
  for (; left > 0; left--, offset += step) {
    if (Math.floor(offset / PAGE) === page) continue;
    page = Math.floor(offset / PAGE);
    push();
    reports.push(offset);
  }
  push();
  return reports;
}

const INTERRUPTS = 10;
const VECTOR = 0x40;
const PERIODIC = 0x20000;
const LENGTH = 0x400000;
const LARGE_BUFFER = 0x200000;

/** One string instruction with interrupts let in; it ends with RCX 0 and RDI at its end. */
function interruptible(a: Assembler, from: number, work: () => void): void {
  a.mov(edi, from);
  a.mov(ecx, LENGTH);
  a.sti();
  a.nop();
  a.rep();
  work();
  a.cli();
}

/** Reports how far the string instruction came, and what RDI and RCX say of its end. */
function interruptHandler(a: Assembler): void {
  a.label('interrupt');
  a.push(rax);
  a.inc(qword(DATA));
  a.mov(eax, ecx);
  reportEax(a);
  a.add(eax, edi);
  reportEax(a);
  lapicEoi(a);
  a.pop(rax);
  a.iret();
}

const interrupted: ConformanceCase = {
  name: 'REP STOS and REP MOVS that interrupts break off are finished, and registers show how far they came',
  needs: ['in-kernel-interrupt-controllers'],
  run(t) {
    const machine = t.machine({
      interruptControllers: 'in-kernel',
      ramBytes: LARGE_BUFFER + 2 * LENGTH,
      code(a) {
        enableLapic(a);
        a.mov(dword(APIC_DIVIDE), 0xb); // by 1
        a.mov(dword(APIC_LVT_TIMER), PERIODIC | VECTOR);
        a.mov(dword(APIC_INITIAL_COUNT), 5_000_000);
        a.label('again');
        a.mov(eax, 0x77);
        interruptible(a, LARGE_BUFFER, () => a.stos(8));
        a.mov(esi, LARGE_BUFFER);
        interruptible(a, LARGE_BUFFER + LENGTH, () => a.movs(8));
        a.cmp(qword(DATA), INTERRUPTS);
        a.jcc('b', 'again');
        done(a);
        interruptHandler(a);
      },
      vectors: { [VECTOR]: 'interrupt' },
    });
    const reports = machine.finish();
    assert.ok(reports.length >= 2 * INTERRUPTS);
    for (let i = 0; i < reports.length; i += 2) {
      assert.ok(reports[i]! <= LENGTH);
      assert.ok([LARGE_BUFFER + LENGTH, LARGE_BUFFER + 2 * LENGTH].includes(reports[i + 1]!));
    }
    const brokenOff = reports.filter((it) => it > 0 && it < LENGTH).length;
    t.note(`broken off in the middle ${brokenOff} times`);
    assert.ok(brokenOff > 0);
    const written = machine.memory.view(LARGE_BUFFER, 2 * LENGTH);
    assert.equal(Buffer.compare(written, Buffer.alloc(2 * LENGTH, 0x77)), 0);
  },
};

export const interruptedStringCases: readonly ConformanceCase[] = [...FAULTING.map(stringFault), interrupted];
