/**
 * When a changed page-table entry must be seen. That a stale translation is kept cannot be asked for: a processor may drop any
 * at any time (Intel SDM Vol. 3A §4.10.4 "Invalidation of TLBs and Paging-Structure Caches").
 */
import assert from 'node:assert/strict';
import {
  type Assembler,
  addressOf,
  at,
  cr3,
  cr4,
  dword,
  eax,
  qword,
  rax,
  rbx,
  rcx,
  rdi,
  rsp,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, exceptionHandler, report, reportEax } from '../guest-code.ts';
import { DATA, SPARE } from '../guest-layout.ts';
import type { Feature } from '../subject.ts';
import {
  ALL_RIGHTS,
  CR0_WP,
  CR4_PGE,
  ENTRY_AT,
  entriesTo,
  GLOBAL,
  LARGE,
  mapRegion,
  PRESENT,
  REGION,
  setCr0,
  setCr4,
} from './page-window.ts';

const OTHER_TABLE = SPARE + 0x5000;
const INVPCID_DESCRIPTOR = SPARE + 0x4000;

interface Invalidation {
  readonly name: string;
  readonly needs?: readonly Feature[];
  readonly isGlobal?: boolean;
  readonly invalidate: (a: Assembler) => void;
}

function reloadCr3(a: Assembler): void {
  a.mov(rax, cr3);
  a.mov(cr3, rax);
}

function toggleGlobalPages(a: Assembler): void {
  a.mov(rax, cr4);
  a.and(rax, ~CR4_PGE);
  a.mov(cr4, rax);
  a.or(rax, CR4_PGE);
  a.mov(cr4, rax);
}

/** Of PCID 0 and the address in RBX, as far as the type asks for them. */
function invpcid(type: number) {
  return (a: Assembler): void => {
    a.mov(qword(INVPCID_DESCRIPTOR), 0);
    a.mov(qword(INVPCID_DESCRIPTOR + 8), rbx);
    a.mov(rcx, type);
    a.mov(rdi, INVPCID_DESCRIPTOR);
    a.invpcid(rcx, at(rdi));
  };
}

const INVALIDATIONS: readonly Invalidation[] = [
  { name: 'INVLPG', invalidate: (a) => a.invlpg(at(rbx, 0x123)) },
  { name: 'INVLPG of a global page', isGlobal: true, invalidate: (a) => a.invlpg(at(rbx)) },
  { name: 'a load of CR3', invalidate: reloadCr3 },
  { name: 'CR4.PGE off and on', isGlobal: true, invalidate: toggleGlobalPages },
  { name: 'INVPCID of an address', needs: ['invpcid'], invalidate: invpcid(0) },
  { name: 'INVPCID of a context', needs: ['invpcid'], invalidate: invpcid(1) },
  { name: 'INVPCID of everything', needs: ['invpcid'], isGlobal: true, invalidate: invpcid(2) },
  { name: 'INVPCID of all but global pages', needs: ['invpcid'], invalidate: invpcid(3) },
];

/** Changes the last entry and then the one above it. */
function changeAndLook(a: Assembler, isGlobal: boolean, invalidate: (a: Assembler) => void): void {
  const bits = ALL_RIGHTS | (isGlobal ? GLOBAL : 0n);
  a.mov(eax, dword(rbx));
  reportEax(a);
  a.mov(qword(ENTRY_AT.table), Number(BigInt(DATA + 0x1000) | bits));
  invalidate(a);
  a.mov(eax, dword(rbx));
  reportEax(a);
  a.mov(qword(ENTRY_AT.directory), Number(BigInt(OTHER_TABLE) | ALL_RIGHTS));
  invalidate(a);
  a.mov(eax, dword(rbx));
  reportEax(a);
}

function invalidationCase({ name, needs = [], isGlobal = false, invalidate }: Invalidation): ConformanceCase {
  return {
    name: `after ${name}, changed entries of the last two levels are seen`,
    needs,
    run(t) {
      const machine = t.machine({
        code(a) {
          setCr4(a, CR4_PGE);
          a.mov(rbx, REGION);
          changeAndLook(a, isGlobal, invalidate);
          done(a);
        },
      });
      const entries = entriesTo(DATA);
      const bits = isGlobal ? GLOBAL : 0n;
      mapRegion(machine, { ...entries, table: entries.table | bits });
      machine.memory.writeU64(OTHER_TABLE, BigInt(DATA + 0x2000) | ALL_RIGHTS | bits);
      for (const i of [0, 1, 2]) machine.memory.writeU32(DATA + i * 0x1000, 0x100 + i);
      assert.deepEqual(machine.finish(), [0x100, 0x101, 0x102]);
    },
  };
}

const wholeLargePage: ConformanceCase = {
  name: 'INVLPG of one address in a 2 MiB page invalidates all of the page',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rbx, REGION);
        for (const offset of [DATA, DATA + 0x5000]) a.mov(eax, dword(rbx, offset));
        a.mov(qword(ENTRY_AT.directory), Number(BigInt(OTHER_TABLE) | ALL_RIGHTS));
        a.invlpg(at(rbx, 0x3000));
        for (const offset of [DATA, DATA + 0x5000]) {
          a.mov(eax, dword(rbx, offset));
          reportEax(a);
        }
        done(a);
      },
    });
    mapRegion(machine, { ...entriesTo(DATA), directory: ALL_RIGHTS | LARGE });
    for (const [from, to] of [
      [DATA, DATA + 0x1000],
      [DATA + 0x5000, DATA + 0x2000],
    ] as const)
      machine.memory.writeU64(OTHER_TABLE + (from >> 12) * 8, BigInt(to) | ALL_RIGHTS);
    machine.memory.writeU32(DATA + 0x1000, 0x11);
    machine.memory.writeU32(DATA + 0x2000, 0x22);
    assert.deepEqual(machine.finish(), [0x11, 0x22]);
  },
};

const fetches: ConformanceCase = {
  name: 'after INVLPG, code is fetched from the new page',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rbx, REGION);
        a.call(rbx);
        reportEax(a);
        a.mov(qword(ENTRY_AT.table), Number(BigInt(DATA + 0x1000) | ALL_RIGHTS));
        a.invlpg(at(rbx));
        a.call(rbx);
        reportEax(a);
        done(a);
      },
    });
    mapRegion(machine, entriesTo(DATA));
    for (const i of [0, 1]) machine.memory.write(DATA + i * 0x1000, Uint8Array.of(0xb8, i, 0, 0, 0, 0xc3));
    assert.deepEqual(machine.finish(), [0, 1]);
  },
};

/** §4.10.4.3 "Optional Invalidation": a fault that the old entry caused may happen, and makes the new one seen. */
const moreRights: ConformanceCase = {
  name: 'an entry that gives more rights needs no invalidation, at most one fault',
  run(t) {
    const machine = t.machine({
      code(a) {
        setCr0(a, CR0_WP);
        a.mov(rbx, REGION);
        a.mov(eax, dword(rbx));
        a.mov(qword(ENTRY_AT.table), Number(BigInt(DATA) | ALL_RIGHTS));
        a.inc(dword(rbx));
        a.mov(eax, dword(rbx));
        reportEax(a);
        done(a);
        a.label('page fault');
        a.add(rsp, 8);
        a.iret();
      },
      vectors: { 14: 'page fault' },
    });
    mapRegion(machine, { ...entriesTo(DATA), table: BigInt(DATA) | PRESENT });
    machine.memory.writeU32(DATA, 41);
    assert.deepEqual(machine.finish(), [42]);
  },
};

const invalidType: ConformanceCase = {
  name: 'INVPCID of a type that does not exist is #GP(0)',
  needs: ['invpcid'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rcx, 4);
        a.mov(rdi, addressOf('fault'));
        a.label('fault');
        a.invpcid(rcx, at(rdi));
        report(a, 0xbad);
        exceptionHandler(a, 13, { errorCode: true });
      },
      vectors: { 13: 'exception 13' },
    });
    assert.deepEqual(machine.finish(), [13, 0, machine.program.address('fault')]);
  },
};

export const translationCacheCases: readonly ConformanceCase[] = [
  ...INVALIDATIONS.map(invalidationCase),
  wholeLargePage,
  fetches,
  moreRights,
  invalidType,
];
