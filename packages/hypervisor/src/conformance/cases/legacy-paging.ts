/**
 * Paging outside 64-bit mode, which the guest turns on itself: 32-bit paging with and without 4 MiB pages, and PAE paging
 * (Intel SDM Vol. 3A §4.3 "32-Bit Paging", §4.4 "PAE Paging").
 */
import assert from 'node:assert/strict';
import { type Assembler, cr0, cr2, cr3, cr4, dword, eax, ebx } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, report, reportEax } from '../guest-code.ts';
import { DATA, SPARE } from '../guest-layout.ts';
import type { Machine } from '../machine.ts';
import { ACCESSED, ALL_RIGHTS, DIRTY, enableNoExecute, LARGE, NO_EXECUTE, PRESENT } from './page-window.ts';

const CR0_PG_WP = 0x80010000;
const CR4_PSE = 1 << 4;
const CR4_PAE = 1 << 5;

const ROOT = SPARE;
/** Of PAE paging, for the first GiB. */
const DIRECTORY = SPARE + 0x1000;
/** Maps what lies at `WINDOW`. */
const TABLE = SPARE + 0x2000;
/** Maps the guest's own code and data onto themselves where there are no large pages. */
const LOW_TABLE = SPARE + 0x3000;
const WINDOW = 0x800000;

const FLAGS = ACCESSED | DIRTY;

function enablePaging(a: Assembler, controls: number): void {
  a.mov(eax, cr4);
  a.or(eax, controls);
  a.mov(cr4, eax);
  a.mov(eax, ROOT);
  a.mov(cr3, eax);
  a.mov(eax, cr0);
  a.or(eax, CR0_PG_WP);
  a.mov(cr0, eax);
}

/** Reports the error code and CR2; ends the guest. */
function pageFaultHandler(a: Assembler): void {
  a.label('page fault');
  a.pop(eax);
  reportEax(a);
  a.mov(eax, cr2);
  reportEax(a);
  done(a);
}

/** Reads and writes the window's first page, then what `fault` does faults. */
function windowGuest(controls: number, fault: (a: Assembler) => void, prepare?: (a: Assembler) => void) {
  return {
    mode: 'protected' as const,
    code(a: Assembler) {
      prepare?.(a);
      enablePaging(a, controls);
      a.mov(ebx, WINDOW);
      a.mov(eax, dword(ebx, 0x10));
      reportEax(a);
      a.mov(dword(ebx, 0x14), 0x600d);
      fault(a);
      report(a, 0xbad);
      done(a);
      pageFaultHandler(a);
    },
    vectors: { 14: 'page fault' },
  };
}

function finishWindow(machine: Machine, fault: readonly number[]): void {
  machine.memory.writeU32(DATA + 0x10, 0xfeed);
  assert.deepEqual(machine.finish(), [0xfeed, ...fault]);
  assert.equal(machine.memory.readU32(DATA + 0x14), 0x600d);
}

const CONTINUED: (a: Assembler) => void = (a) => a.mov(dword(ebx, 0x1008), eax);

const smallPages: ConformanceCase = {
  name: '32-bit paging: 4 KiB pages, their flags and rights',
  run(t) {
    const machine = t.machine(windowGuest(0, CONTINUED));
    // Without CR4.PSE the PS bit of a directory entry means nothing.
    machine.memory.writeU32(ROOT, LOW_TABLE | Number(ALL_RIGHTS | LARGE));
    machine.memory.writeU32(ROOT + 2 * 4, TABLE | Number(ALL_RIGHTS));
    for (let page = 0; page < 0x80; page++)
      machine.memory.writeU32(LOW_TABLE + page * 4, (page << 12) | Number(ALL_RIGHTS));
    machine.memory.writeU32(TABLE, DATA | Number(ALL_RIGHTS));
    machine.memory.writeU32(TABLE + 4, DATA | Number(PRESENT));
    finishWindow(machine, [3, WINDOW + 0x1008]);
    assert.equal(machine.memory.readU32(TABLE), DATA | Number(ALL_RIGHTS | FLAGS));
    assert.equal(machine.memory.readU32(TABLE + 4) & Number(DIRTY), 0);
    assert.equal(machine.memory.readU32(ROOT + 2 * 4) & Number(FLAGS), Number(ACCESSED));
  },
};

const fourMib: ConformanceCase = {
  name: '32-bit paging: 4 MiB pages with CR4.PSE',
  run(t) {
    const machine = t.machine(windowGuest(CR4_PSE, (a) => a.mov(eax, dword(ebx, 0x400000))));
    machine.memory.writeU32(ROOT, Number(ALL_RIGHTS | LARGE));
    machine.memory.writeU32(ROOT + 2 * 4, TABLE | Number(ALL_RIGHTS));
    machine.memory.writeU32(TABLE, DATA | Number(ALL_RIGHTS));
    finishWindow(machine, [0, WINDOW + 0x400000]);
    assert.equal(machine.memory.readU32(ROOT), Number(ALL_RIGHTS | LARGE | FLAGS));
  },
};

/** The first GiB: 2 MiB onto themselves, and the window. */
function writePaeTables(machine: Machine): void {
  machine.memory.writeU64(ROOT, BigInt(DIRECTORY) | PRESENT);
  machine.memory.writeU64(DIRECTORY, ALL_RIGHTS | LARGE);
  machine.memory.writeU64(DIRECTORY + 4 * 8, BigInt(TABLE) | ALL_RIGHTS);
  machine.memory.writeU64(TABLE, BigInt(DATA) | ALL_RIGHTS);
}

const pae: ConformanceCase = {
  name: 'PAE paging: 4 KiB and 2 MiB pages, their flags and rights',
  run(t) {
    const machine = t.machine(windowGuest(CR4_PAE, CONTINUED));
    writePaeTables(machine);
    machine.memory.writeU64(TABLE + 8, BigInt(DATA) | PRESENT);
    finishWindow(machine, [3, WINDOW + 0x1008]);
    assert.equal(machine.memory.readU64(TABLE), BigInt(DATA) | ALL_RIGHTS | FLAGS);
    assert.equal(machine.memory.readU64(DIRECTORY), ALL_RIGHTS | LARGE | FLAGS);
  },
};

const paeReserved: ConformanceCase = {
  name: 'PAE paging: bits 52 to 62 of an entry are reserved',
  needs: ['reserved-bit-faults'],
  run(t) {
    const machine = t.machine(windowGuest(CR4_PAE, CONTINUED));
    writePaeTables(machine);
    machine.memory.writeU64(TABLE + 8, BigInt(DATA) | ALL_RIGHTS | (1n << 55n));
    finishWindow(machine, [0xb, WINDOW + 0x1008]);
  },
};

const paeNoExecute: ConformanceCase = {
  name: 'PAE paging: XD forbids fetches with EFER.NXE',
  run(t) {
    const machine = t.machine(windowGuest(CR4_PAE, (a) => a.jmp(ebx), enableNoExecute));
    writePaeTables(machine);
    machine.memory.writeU64(TABLE, BigInt(DATA) | ALL_RIGHTS | NO_EXECUTE);
    finishWindow(machine, [0x11, WINDOW]);
  },
};

const paeAbsent: ConformanceCase = {
  name: 'PAE paging: a page-directory-pointer entry that is not present faults',
  run(t) {
    const machine = t.machine(windowGuest(CR4_PAE, (a) => a.mov(eax, dword(0xc0000004))));
    writePaeTables(machine);
    finishWindow(machine, [0, 0xc0000004]);
  },
};

export const legacyPagingCases: readonly ConformanceCase[] = [
  smallPages,
  fourMib,
  pae,
  paeReserved,
  paeNoExecute,
  paeAbsent,
];
