/**
 * Page faults of each cause and at each level: error code, CR2, and the entries' flags, which stay as they were (Intel SDM
 * Vol. 3A §4.6.1 "Determination of Access Rights", §4.7 "Page-Fault Exceptions", §4.8 "Accessed and Dirty Flags").
 */
import assert from 'node:assert/strict';
import { type Assembler, addressOf, dword, eax, rbx } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, report, wideReports } from '../guest-code.ts';
import { DATA, SELECTORS, USER_STACK_TOP } from '../guest-layout.ts';
import type { Feature } from '../subject.ts';
import {
  ACCESSED,
  CR0_WP,
  CR4_SMAP,
  CR4_SMEP,
  DIRTY,
  ENTRY_AT,
  enableNoExecute,
  entriesTo,
  FETCH,
  FROM_USER,
  LARGE,
  LEVELS,
  type Level,
  mapLowMemoryForSupervisor,
  mapRegion,
  NO_EXECUTE,
  PROTECTION,
  pageFaultHandler,
  REGION,
  RESERVED,
  setCr0,
  setCr4,
  USER,
  WRITABLE,
  WRITE,
} from './page-window.ts';

type AccessKind = 'read' | 'write' | 'fetch';

interface Fault {
  readonly name: string;
  readonly needs?: readonly Feature[];
  readonly level: Level;
  /** From an entry with every right to the one that faults. */
  readonly change: (entry: bigint) => bigint;
  readonly access: AccessKind;
  readonly user?: boolean;
  readonly errorCode: number;
  readonly prepare?: (a: Assembler) => void;
}

const ACCESSES: Record<AccessKind, (a: Assembler) => void> = {
  read: (a) => a.mov(eax, dword(rbx)),
  write: (a) => a.mov(dword(rbx), eax),
  fetch: (a) => a.jmp(rbx),
};

/** Address bits that the offset in a large page covers, all but the lowest, which is PAT's. */
const UNDER_LARGE_PAGE = LARGE | 0x4000n;

function atEachLevel(make: (level: Level) => Fault): Fault[] {
  return LEVELS.map(make);
}

const absent = (entry: bigint) => entry & ~1n;
const readOnly = (entry: bigint) => entry & ~WRITABLE;
const supervisor = (entry: bigint) => entry & ~USER;
const noExecute = (entry: bigint) => entry | NO_EXECUTE;
const writeProtect = (a: Assembler) => setCr0(a, CR0_WP);

const ABSENT: readonly Fault[] = [
  ...atEachLevel((level) => ({
    ...{ name: `no entry in the ${level}`, level, change: () => 0n, access: 'read', errorCode: 0 },
  })),
  ...atEachLevel((level) => ({
    name: `a user write where the entry in the ${level} has every bit but P`,
    ...{ level, change: () => 0xffff_ffff_ffff_fffen, access: 'write', user: true },
    errorCode: WRITE | FROM_USER,
  })),
  {
    name: 'a fetch from a page that is not present, with EFER.NXE',
    ...{ level: 'table', change: absent, access: 'fetch', prepare: enableNoExecute, errorCode: FETCH },
  },
  {
    name: 'a fetch from a page that is not present, with neither EFER.NXE nor SMEP',
    ...{ level: 'table', change: absent, access: 'fetch', errorCode: 0 },
  },
];

const RIGHTS: readonly Fault[] = [
  ...atEachLevel((level) => ({
    name: `a supervisor write, R/W clear in the ${level} and CR0.WP set`,
    ...{ level, change: readOnly, access: 'write', prepare: writeProtect, errorCode: PROTECTION | WRITE },
  })),
  ...atEachLevel((level) => ({
    name: `a user write, R/W clear in the ${level} and CR0.WP clear`,
    ...{ level, change: readOnly, access: 'write', user: true, errorCode: PROTECTION | WRITE | FROM_USER },
  })),
  ...atEachLevel((level) => ({
    name: `a user read, U/S clear in the ${level}`,
    ...{ level, change: supervisor, access: 'read', user: true, errorCode: PROTECTION | FROM_USER },
  })),
  ...atEachLevel((level) => ({
    name: `a fetch, XD set in the ${level}`,
    ...{ level, change: noExecute, access: 'fetch', prepare: enableNoExecute, errorCode: PROTECTION | FETCH },
  })),
  {
    name: 'a user fetch from a supervisor page',
    ...{ level: 'table', change: supervisor, access: 'fetch', user: true, prepare: enableNoExecute },
    errorCode: PROTECTION | FETCH | FROM_USER,
  },
];

const RESERVED_BITS: readonly Fault[] = [
  ...atEachLevel((level) => ({
    name: `XD without EFER.NXE in the ${level} is a reserved bit`,
    ...{ level, change: noExecute, access: 'read', errorCode: PROTECTION | RESERVED },
  })),
  {
    name: 'PS in the PML4 is a reserved bit',
    level: 'PML4',
    ...{ change: (entry) => entry | LARGE, access: 'read', errorCode: PROTECTION | RESERVED },
  },
  {
    name: 'a write through a 2 MiB page whose address is not a multiple of that',
    level: 'directory',
    ...{ change: (entry) => entry | UNDER_LARGE_PAGE, access: 'write' },
    errorCode: PROTECTION | WRITE | RESERVED,
  },
  {
    name: 'a user read through a 1 GiB page whose address is not a multiple of that',
    needs: ['1-gib-pages'],
    level: 'PDPT',
    ...{ change: (entry) => entry | UNDER_LARGE_PAGE, access: 'read', user: true },
    errorCode: PROTECTION | RESERVED | FROM_USER,
  },
];

const SUPERVISOR_MODE: readonly Fault[] = [
  {
    name: 'a supervisor fetch from a user page with SMEP',
    needs: ['smep'],
    ...{ level: 'table', change: (entry) => entry, access: 'fetch', prepare: (a) => setCr4(a, CR4_SMEP) },
    errorCode: PROTECTION | FETCH,
  },
  {
    name: 'a fetch from a page that is not present, with SMEP',
    needs: ['smep'],
    ...{ level: 'table', change: absent, access: 'fetch', prepare: (a) => setCr4(a, CR4_SMEP) },
    errorCode: FETCH,
  },
  {
    name: 'a supervisor read of a user page with SMAP and AC clear',
    needs: ['smap'],
    ...{ level: 'table', change: (entry) => entry, access: 'read', prepare: (a) => setCr4(a, CR4_SMAP) },
    errorCode: PROTECTION,
  },
  {
    name: 'a supervisor write to a user page with SMAP, after STAC and CLAC',
    needs: ['smap'],
    ...{ level: 'table', change: (entry) => entry, access: 'write' },
    prepare: (a) => [setCr4(a, CR4_SMAP), a.stac(), a.clac()],
    errorCode: PROTECTION | WRITE,
  },
];

function enterUserMode(a: Assembler): void {
  for (const value of [SELECTORS.userData, USER_STACK_TOP, 2, SELECTORS.userCode64]) a.push(value);
  a.push(addressOf('user'));
  a.iret();
  a.label('user');
}

function guestCode({ prepare, user = false, access }: Fault) {
  return (a: Assembler): void => {
    prepare?.(a);
    a.mov(rbx, REGION);
    if (user) enterUserMode(a);
    ACCESSES[access](a);
    if (!user) {
      report(a, 0xbad);
      done(a);
    }
    a.ud2();
    pageFaultHandler(a);
  };
}

/** Speculation may set the accessed flag where reading is allowed, never the dirty flag. */
function expectUntouched(before: bigint, after: bigint): void {
  assert.equal(after & DIRTY, before & DIRTY, 'the dirty flag was set');
  assert.equal(after & ~ACCESSED, before & ~ACCESSED);
}

function faultCase(fault: Fault): ConformanceCase {
  const { name, needs = [], level, change, errorCode, user = false } = fault;
  return {
    name: `#PF: ${name}`,
    needs: (errorCode & RESERVED) !== 0 ? [...needs, 'reserved-bit-faults'] : needs,
    run(t) {
      const machine = t.machine({ code: guestCode(fault), vectors: { 14: 'page fault' } });
      const entries = entriesTo(DATA);
      entries[level] = change(entries[level]);
      mapRegion(machine, entries);
      if (!user) mapLowMemoryForSupervisor(machine);
      const [error, ...address] = machine.finish();
      assert.equal(error, errorCode);
      assert.deepEqual(wideReports(address), [BigInt(REGION)]);
      const after = machine.memory.readU64(ENTRY_AT[level]);
      if ((errorCode & PROTECTION) === 0 || (errorCode & RESERVED) !== 0) assert.equal(after, entries[level]);
      else expectUntouched(entries[level], after);
    },
  };
}

const explicitAccess: ConformanceCase = {
  name: 'with SMAP, a supervisor reaches user pages while AC is set',
  needs: ['smap'],
  run(t) {
    const machine = t.machine({
      code(a) {
        setCr4(a, CR4_SMAP);
        a.mov(rbx, REGION);
        a.stac();
        a.inc(dword(rbx));
        a.clac();
        done(a);
      },
    });
    mapRegion(machine, entriesTo(DATA));
    mapLowMemoryForSupervisor(machine);
    machine.memory.writeU32(DATA, 41);
    machine.finish();
    assert.equal(machine.memory.readU32(DATA), 42);
  },
};

export const pageFaultCases: readonly ConformanceCase[] = [
  ...[...ABSENT, ...RIGHTS, ...RESERVED_BITS, ...SUPERVISOR_MODE].map(faultCase),
  explicitAccess,
];
