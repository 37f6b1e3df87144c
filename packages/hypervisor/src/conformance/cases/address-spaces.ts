/** Process-context identifiers: translations of several address spaces at once (Intel SDM Vol. 3A §4.10.1 "Process-Context Identifiers (PCIDs)", §4.10.4.1 "Operations that Invalidate TLBs and Paging-Structure Caches"). */
import assert from 'node:assert/strict';
import {
  type Assembler,
  at,
  cr0,
  cr3,
  cr4,
  dword,
  eax,
  edx,
  qword,
  rax,
  rbx,
  rcx,
  rdi,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, reportEax } from '../guest-code.ts';
import { DATA, PDPT, PML4, SPARE } from '../guest-layout.ts';
import type { Machine } from '../machine.ts';
import type { Feature } from '../subject.ts';
import { faultCase } from './fault-case.ts';
import {
  ALL_RIGHTS,
  CR4_PGE,
  ENTRY_AT,
  entriesTo,
  GLOBAL,
  mapRegion,
  REGION,
  setCr4,
} from './page-window.ts';

const CR4_PCIDE = 1 << 17;
const KEEP = 1n << 63n;
const GP = 13;

/** The second address space: its own tables from the top on, the region's entry included. */
const OTHER = {
  PML4: SPARE + 0x6000,
  PDPT: SPARE + 0x7000,
  directory: SPARE + 0x8000,
  table: SPARE + 0x9000,
};
const DESCRIPTOR = SPARE + 0x4000;
const FIRST = { pcid: 1, tables: PML4, entry: ENTRY_AT.table };
const SECOND = { pcid: 2, tables: OTHER.PML4, entry: OTHER.table };
type Space = typeof FIRST;

function mapBoth(machine: Machine, bits = 0n): void {
  const { memory } = machine;
  const entries = entriesTo(DATA);
  mapRegion(machine, { ...entries, table: entries.table | bits });
  memory.writeU64(OTHER.PML4, BigInt(PDPT) | ALL_RIGHTS);
  memory.writeU64(OTHER.PML4 + 8, BigInt(OTHER.PDPT) | ALL_RIGHTS);
  memory.writeU64(OTHER.PDPT, BigInt(OTHER.directory) | ALL_RIGHTS);
  memory.writeU64(OTHER.directory, BigInt(OTHER.table) | ALL_RIGHTS);
  memory.writeU64(OTHER.table, BigInt(DATA + 0x1000) | ALL_RIGHTS | bits);
  for (const i of [0, 1, 2, 3]) memory.writeU32(DATA + i * 0x1000, 0x100 + i);
}

function switchTo(a: Assembler, { pcid, tables }: Space, keep = KEEP): void {
  a.mov(rax, BigInt(tables | pcid) | keep);
  a.mov(cr3, rax);
}

function look(a: Assembler): void {
  a.mov(eax, dword(rbx));
  reportEax(a);
}

function remap(a: Assembler, { entry }: Space, page: number): void {
  a.mov(qword(entry), Number(BigInt(DATA + page * 0x1000) | ALL_RIGHTS));
}

function start(a: Assembler): void {
  setCr4(a, CR4_PGE | CR4_PCIDE);
  a.mov(rbx, REGION);
}

const apart: ConformanceCase = {
  name: 'two address spaces whose translations are kept do not see each other’s',
  needs: ['pcid'],
  run(t) {
    const machine = t.machine({
      code(a) {
        start(a);
        for (let i = 0; i < 3; i++)
          for (const space of [FIRST, SECOND]) {
            switchTo(a, space);
            look(a);
          }
        done(a);
      },
    });
    mapBoth(machine);
    assert.deepEqual(machine.finish(), [0x100, 0x101, 0x100, 0x101, 0x100, 0x101]);
    assert.equal(machine.cpu.getSpecialRegisters().cr3, BigInt(OTHER.PML4 | SECOND.pcid), 'without bit 63');
  },
};

interface Invalidation {
  readonly name: string;
  readonly needs: readonly Feature[];
  readonly isGlobal?: boolean;
  /** Done in the first space, for what has changed in the second; it may switch there. */
  readonly invalidate: (a: Assembler) => void;
}

function invpcid(type: number, pcid: number) {
  return (a: Assembler): void => {
    a.mov(qword(DESCRIPTOR), pcid);
    a.mov(qword(DESCRIPTOR + 8), rbx);
    a.mov(rcx, type);
    a.mov(rdi, DESCRIPTOR);
    a.invpcid(rcx, at(rdi));
  };
}

const INVPCID = ['pcid', 'invpcid'] as const;

const INVALIDATIONS: readonly Invalidation[] = [
  { name: 'INVPCID of an address in it', needs: INVPCID, invalidate: invpcid(0, SECOND.pcid) },
  { name: 'INVPCID of it', needs: INVPCID, invalidate: invpcid(1, SECOND.pcid) },
  { name: 'INVPCID of everything', needs: INVPCID, isGlobal: true, invalidate: invpcid(2, 0) },
  { name: 'INVPCID of all but global pages', needs: INVPCID, invalidate: invpcid(3, 0) },
  { name: 'a load of CR3 without bit 63', needs: ['pcid'], invalidate: (a) => switchTo(a, SECOND, 0n) },
  {
    name: 'INVLPG in it',
    ...{ needs: ['pcid'], isGlobal: true },
    invalidate: (a) => [switchTo(a, SECOND), a.invlpg(at(rbx))],
  },
];

function invalidationCase({ name, needs, isGlobal = false, invalidate }: Invalidation): ConformanceCase {
  return {
    name: `after ${name}, another address space’s changed entry is seen${isGlobal ? ', of a global page too' : ''}`,
    needs,
    run(t) {
      const machine = t.machine({
        code(a) {
          start(a);
          switchTo(a, SECOND);
          look(a);
          switchTo(a, FIRST);
          if (!isGlobal) look(a);
          remap(a, SECOND, 2);
          invalidate(a);
          switchTo(a, SECOND);
          look(a);
          done(a);
        },
      });
      mapBoth(machine, isGlobal ? GLOBAL : 0n);
      assert.deepEqual(machine.finish(), isGlobal ? [0x101, 0x102] : [0x101, 0x100, 0x102]);
    },
  };
}

const faults = [
  faultCase({
    name: 'CR4.PCIDE cannot be set while CR3 has a PCID: #GP(0)',
    ...{ needs: ['pcid'], vector: GP, errorCode: 0 },
    code(a) {
      a.mov(rax, BigInt(PML4 | 8)); // PWT, as a PCID
      a.mov(cr3, rax);
      a.mov(rax, cr4);
      a.or(rax, CR4_PCIDE);
      a.label('fault');
      a.mov(cr4, rax);
    },
  }),
  faultCase({
    name: 'CR0.PG cannot be cleared while CR4.PCIDE is set: #GP(0)',
    ...{ needs: ['pcid'], vector: GP, errorCode: 0 },
    code(a) {
      setCr4(a, CR4_PCIDE);
      a.mov(rax, cr0);
      a.mov(edx, 0x7fffffff);
      a.and(eax, edx);
      a.label('fault');
      a.mov(cr0, rax);
    },
  }),
  faultCase({
    name: 'bit 63 of CR3 without CR4.PCIDE is reserved: #GP(0)',
    ...{ needs: ['pcid'], vector: GP, errorCode: 0 },
    code(a) {
      a.mov(rax, BigInt(PML4) | KEEP);
      a.label('fault');
      a.mov(cr3, rax);
    },
  }),
  faultCase({
    name: 'INVPCID of a PCID above 4095 is #GP(0)',
    ...{ needs: INVPCID, vector: GP, errorCode: 0 },
    code(a) {
      a.mov(qword(DESCRIPTOR), 0x1000);
      a.mov(rcx, 1);
      a.mov(rdi, DESCRIPTOR);
      a.label('fault');
      a.invpcid(rcx, at(rdi));
    },
  }),
];

export const addressSpaceCases: readonly ConformanceCase[] = [
  apart,
  ...INVALIDATIONS.map(invalidationCase),
  ...faults,
];
