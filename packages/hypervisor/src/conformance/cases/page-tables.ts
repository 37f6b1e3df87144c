/**
 * What a walk of the page tables leaves there, pages of every size, and accesses that span two pages (Intel SDM Vol. 3A §4.5
 * "4-Level Paging and 5-Level Paging", §4.8 "Accessed and Dirty Flags").
 */
import assert from 'node:assert/strict';
import {
  type Assembler,
  at,
  ax,
  ds,
  dword,
  eax,
  ecx,
  qword,
  rax,
  rbx,
  rcx,
  rdi,
  rsp,
  word,
  xmm0,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, report, reportEax, wideReports } from '../guest-code.ts';
import { DATA } from '../guest-layout.ts';
import { enableSse } from '../guest-vector.ts';
import type { Machine } from '../machine.ts';
import type { Feature } from '../subject.ts';
import { useInterruptStack } from './interrupt-stacks.ts';
import {
  ACCESSED,
  ALL_RIGHTS,
  CR0_WP,
  DIRTY,
  ENTRY_AT,
  entriesTo,
  LARGE,
  LEVELS,
  mapRegion,
  PRESENT,
  PROTECTION,
  pageFaultHandler,
  REGION,
  setCr0,
  WRITE,
} from './page-window.ts';

const BOTH = ACCESSED | DIRTY;

function flagsOf(machine: Machine): bigint[] {
  return LEVELS.map((level) => machine.memory.readU64(ENTRY_AT[level]) & BOTH);
}

function flagCase(
  name: string,
  access: (a: Assembler) => void,
  leaf: bigint,
  prepare: (machine: Machine) => void = () => {},
): ConformanceCase {
  return {
    name,
    run(t) {
      const machine = t.machine({
        code(a) {
          a.mov(rbx, REGION);
          access(a);
          done(a);
        },
      });
      mapRegion(machine, entriesTo(DATA));
      prepare(machine);
      machine.finish();
      // D of an entry that leads to a table is ignored, and left alone.
      assert.deepEqual(flagsOf(machine), [ACCESSED, ACCESSED, ACCESSED, leaf]);
    },
  };
}

const flags: readonly ConformanceCase[] = [
  flagCase('a read sets the accessed flag at every level', (a) => a.mov(eax, dword(rbx)), ACCESSED),
  flagCase(
    'a write sets the accessed flag at every level, the dirty flag at the last',
    (a) => a.mov(dword(rbx), eax),
    BOTH,
  ),
  flagCase(
    'a write after a read of the same page sets its dirty flag',
    (a) => [a.mov(eax, dword(rbx)), a.mov(dword(rbx), eax)],
    BOTH,
  ),
  flagCase(
    'a comparison that fails in a locked CMPXCHG writes, and sets the dirty flag',
    (a) => [a.mov(eax, 1), a.lock(), a.cmpxchg(dword(rbx), eax)],
    BOTH,
  ),
];

/** The region's page is where a descriptor table, code or a stack is. */
const kinds: readonly ConformanceCase[] = [
  flagCase(
    'a fetch sets the accessed flag only',
    (a) => a.call(rbx),
    ACCESSED,
    (machine) => machine.memory.writeU8(DATA, 0xc3),
  ),
  flagCase(
    'a PUSH sets the dirty flag of the stack’s page',
    (a) => [a.mov(rcx, rsp), a.lea(rsp, at(rbx, 0x800)), a.push(1), a.mov(rsp, rcx)],
    BOTH,
  ),
  flagCase(
    'a POP sets the accessed flag of the stack’s page only',
    (a) => [a.mov(rcx, rsp), a.lea(rsp, at(rbx, 0x800)), a.pop(rax), a.mov(rsp, rcx)],
    ACCESSED,
  ),
  flagCase('a comparison in memory sets the accessed flag only', (a) => a.cmp(dword(rbx), 1), ACCESSED),
  flagCase('an addition in memory sets the dirty flag', (a) => a.add(dword(rbx), 0), BOTH),
  flagCase(
    'REP STOS of no item sets no flag',
    (a) => [a.mov(rdi, rbx), a.mov(ecx, 0), a.rep(), a.stos(8), a.mov(eax, dword(rbx))],
    ACCESSED,
  ),
  flagCase(
    'loading a segment whose descriptor was not accessed sets the dirty flag of its table’s page',
    (a) => loadFromRegion(a),
    BOTH,
    (machine) => machine.memory.writeU64(DATA + 8, 0x00cf_9200_0000_ffffn),
  ),
  flagCase(
    'loading a segment whose descriptor was accessed reads its table only',
    (a) => loadFromRegion(a),
    ACCESSED,
    (machine) => machine.memory.writeU64(DATA + 8, 0x00cf_9300_0000_ffffn),
  ),
];

/** DS from entry 1 of a table that begins with the region. */
function loadFromRegion(a: Assembler): void {
  a.push(rbx);
  a.sub(rsp, 2);
  a.mov(word(rsp), 0xf);
  a.lgdt(at(rsp));
  a.mov(eax, 8);
  a.mov(ds, ax);
}

const clearedFlags: ConformanceCase = {
  name: 'flags that the guest clears are set again after INVLPG',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rbx, REGION);
        a.mov(dword(rbx), eax);
        for (const access of [() => a.mov(eax, dword(rbx)), () => a.mov(dword(rbx), eax)]) {
          a.mov(rax, qword(ENTRY_AT.table));
          a.and(rax, Number(~BOTH));
          a.mov(qword(ENTRY_AT.table), rax);
          a.invlpg(at(rbx));
          access();
          a.mov(rax, qword(ENTRY_AT.table));
          a.and(rax, Number(BOTH));
          reportEax(a);
        }
        done(a);
      },
    });
    mapRegion(machine, entriesTo(DATA));
    assert.deepEqual(machine.finish(), [Number(ACCESSED), Number(BOTH)]);
  },
};

function largePage(name: string, level: 'PDPT' | 'directory', needs: readonly Feature[]): ConformanceCase {
  return {
    name: `a ${name} page maps its whole length, and has the flags of a last level`,
    needs,
    run(t) {
      const machine = t.machine({
        code(a) {
          a.mov(rbx, REGION);
          a.mov(eax, dword(rbx, DATA + 0xffe)); // across two times 4 KiB
          reportEax(a);
          a.mov(dword(rbx, DATA + 0x5000), 0x600d);
          done(a);
        },
      });
      mapRegion(machine, { ...entriesTo(DATA), [level]: ALL_RIGHTS | LARGE });
      machine.memory.writeU32(DATA + 0xffe, 0xfeedf00d);
      assert.deepEqual(machine.finish(), [0xfeedf00d]);
      assert.equal(machine.memory.readU32(DATA + 0x5000), 0x600d);
      assert.equal(machine.memory.readU64(ENTRY_AT[level]), ALL_RIGHTS | LARGE | BOTH);
    },
  };
}

interface SpanningStore {
  readonly name: string;
  readonly needs?: readonly Feature[];
  readonly store: (a: Assembler) => void;
}

const SPANNING_STORES: readonly SpanningStore[] = [
  { name: 'MOV', store: (a) => a.mov(qword(rbx, 0xffc), rax) },
  { name: 'ADD', store: (a) => a.add(qword(rbx, 0xffd), rax) },
  { name: 'locked XADD', store: (a) => [a.lock(), a.xadd(qword(rbx, 0xff9), rax)] },
  {
    name: 'MOVUPS',
    needs: ['sse'],
    store: (a) => [enableSse(a), a.movups(at(rbx, 0xffc), xmm0)],
  },
];

/** The first page can be written, the second only read: what lies before the boundary must stay. */
function spanningStore({ name, needs = [], store }: SpanningStore): ConformanceCase {
  return {
    name: `${name} across two pages, of which the second faults, writes nothing`,
    needs,
    run(t) {
      const machine = t.machine({
        code(a) {
          setCr0(a, CR0_WP);
          a.mov(rax, -1);
          a.mov(rbx, REGION);
          store(a);
          report(a, 0xbad);
          done(a);
          pageFaultHandler(a);
        },
        vectors: { 14: 'page fault' },
      });
      mapRegion(machine, entriesTo(DATA));
      machine.memory.writeU64(ENTRY_AT.table + 8, BigInt(DATA + 0x1000) | PRESENT);
      machine.memory.view(DATA, 0x2000).fill(0x55);
      const [error, ...address] = machine.finish();
      assert.equal(error, PROTECTION | WRITE);
      assert.deepEqual(wideReports(address), [BigInt(REGION + 0x1000)]);
      assert.ok(machine.memory.view(DATA, 0x2000).every((byte) => byte === 0x55));
    },
  };
}

const spanningPush: ConformanceCase = {
  name: 'PUSH to a page that faults leaves RSP as it was',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rbx, rsp);
        a.mov(rax, REGION + 0x1004);
        a.mov(rsp, rax);
        a.push(rax); // its upper half lies on the second page, which is not there
        a.label('page fault'); // on the stack that the gate's IST names
        a.mov(rax, qword(rsp, 0x20));
        a.mov(rsp, rbx);
        reportEax(a);
        done(a);
      },
      vectors: { 14: 'page fault' },
    });
    mapRegion(machine, entriesTo(DATA));
    useInterruptStack(machine, 14);
    assert.deepEqual(machine.finish(), [0x1004]);
    assert.equal(machine.memory.readU32(DATA + 0xffc), 0);
  },
};

export const pageTableCases: readonly ConformanceCase[] = [
  ...flags,
  ...kinds,
  clearedFlags,
  largePage('2 MiB', 'directory', []),
  largePage('1 GiB', 'PDPT', ['1-gib-pages']),
  ...SPANNING_STORES.map(spanningStore),
  spanningPush,
];
