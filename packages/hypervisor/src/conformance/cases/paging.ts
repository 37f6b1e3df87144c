/** Paging in 64-bit mode: page sizes, protection, the bits the processor sets (Intel SDM Vol. 3A chapter 4 "Paging"). */
import assert from 'node:assert/strict';
import { type Assembler, addressOf, at, cr3, dword, eax, edx, qword, rax, rbx, rsp } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, report, reportEax, reportWide, wideReports } from '../guest-code.ts';
import { DATA, PDPT, PML4, SELECTORS, SPARE, USER_STACK_TOP } from '../guest-layout.ts';
import type { Machine } from '../machine.ts';
import {
  ACCESSED,
  CR0_WP,
  CR4_PGE,
  DIRTY,
  enableNoExecute,
  FETCH,
  FROM_USER,
  LARGE,
  NO_EXECUTE,
  PRESENT,
  PROTECTION,
  pageFaultHandler,
  setCr0,
  setCr4,
  USER,
  WRITABLE,
  WRITE,
} from './page-window.ts';

/** A virtual GiB of the case's own: entry 4 of the page-directory-pointer table. */
const WINDOW = 4 * 2 ** 30;
const DIRECTORY = SPARE;
const TABLE = SPARE + 0x1000;
const SECOND_TABLE = SPARE + 0x2000;

/** Maps page `index` of the window with 4 KiB pages to an entry. */
function mapPage(machine: Machine, index: number, entry: bigint): void {
  machine.memory.writeU64(PDPT + 4 * 8, BigInt(DIRECTORY) | PRESENT | WRITABLE | USER);
  machine.memory.writeU64(DIRECTORY, BigInt(TABLE) | PRESENT | WRITABLE | USER);
  machine.memory.writeU64(TABLE + index * 8, entry);
}

function page(gpa: number, bits: bigint): bigint {
  return BigInt(gpa) | bits;
}

const smallPages: ConformanceCase = {
  name: '4 KiB pages map any frame anywhere',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rbx, WINDOW);
        a.mov(rax, qword(rbx, 0x1ff8)); // the second page
        reportWide(a, rax);
        a.mov(qword(rbx, 0xffc), 0x55667788); // across both
        done(a);
      },
    });
    mapPage(machine, 0, page(DATA + 0x5000, PRESENT | WRITABLE));
    mapPage(machine, 1, page(DATA + 0x2000, PRESENT | WRITABLE));
    machine.memory.writeU64(DATA + 0x2ff8, 0x1234_5678_9abcn);
    machine.memory.writeU64(DATA + 0x2000, ~0n & 0xffffffffffffffffn);
    assert.deepEqual(wideReports(machine.finish()), [0x1234_5678_9abcn]);
    assert.equal(machine.memory.readU32(DATA + 0x5ffc), 0x55667788);
    assert.equal(machine.memory.readU64(DATA + 0x2000), 0xffffffff00000000n);
  },
};

const largePages: ConformanceCase = {
  name: '2 MiB pages map 2 MiB',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rbx, WINDOW + 0x200000);
        a.mov(eax, dword(rbx, DATA + 0x123));
        reportEax(a);
        done(a);
      },
    });
    machine.memory.writeU64(PDPT + 4 * 8, BigInt(DIRECTORY) | PRESENT | WRITABLE);
    machine.memory.writeU64(DIRECTORY + 8, page(0, PRESENT | WRITABLE | LARGE));
    machine.memory.writeU32(DATA + 0x123, 0xfeedf00d);
    assert.deepEqual(machine.finish(), [0xfeedf00d]);
  },
};

const accessedAndDirty: ConformanceCase = {
  name: 'a read sets the accessed bit, a write the dirty bit too',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rbx, WINDOW);
        a.mov(eax, dword(rbx));
        a.mov(dword(rbx, 0x1000), eax);
        done(a);
      },
    });
    for (const i of [0, 1, 2]) mapPage(machine, i, page(DATA + i * 0x1000, PRESENT | WRITABLE));
    machine.finish();
    const bits = [0, 1, 2].map((i) => machine.memory.readU64(TABLE + i * 8) & (ACCESSED | DIRTY));
    assert.deepEqual(bits, [ACCESSED, ACCESSED | DIRTY, 0n]);
    assert.equal(machine.memory.readU64(DIRECTORY) & ACCESSED, ACCESSED);
  },
};

interface PageFault {
  readonly name: string;
  /** The entry of the window's first page; absent for none. */
  readonly entry?: bigint;
  readonly errorCode: number;
  /** Where it faults, from the window's start. */
  readonly offset?: number;
  code(a: Assembler): void;
}

function touch(write: (a: Assembler) => void) {
  return (a: Assembler): void => {
    a.mov(rbx, WINDOW);
    write(a);
  };
}

function userTouch(write: (a: Assembler) => void) {
  return (a: Assembler): void => {
    a.mov(rbx, WINDOW);
    a.push(SELECTORS.userData);
    a.push(USER_STACK_TOP);
    a.push(2);
    a.push(SELECTORS.userCode64);
    a.push(addressOf('user'));
    a.iret();
    a.label('user');
    write(a);
  };
}

const DATA_PAGE = page(DATA, PRESENT);

const PAGE_FAULTS: readonly PageFault[] = [
  {
    name: 'a read of a page that is not present',
    errorCode: 0,
    offset: 8,
    code: touch((a) => a.mov(eax, dword(rbx, 8))),
  },
  {
    name: 'a write to a page that is not present',
    errorCode: WRITE,
    code: touch((a) => a.mov(dword(rbx), eax)),
  },
  {
    name: 'a supervisor write to a read-only page with CR0.WP',
    entry: DATA_PAGE,
    errorCode: PROTECTION | WRITE,
    offset: 0x10,
    code: touch((a) => {
      setCr0(a, CR0_WP);
      a.inc(dword(rbx, 0x10));
    }),
  },
  {
    name: 'a user read of a supervisor page',
    entry: DATA_PAGE,
    errorCode: PROTECTION | FROM_USER,
    code: userTouch((a) => a.mov(eax, dword(rbx))),
  },
  {
    name: 'a user write to a read-only page',
    entry: DATA_PAGE | USER,
    errorCode: PROTECTION | WRITE | FROM_USER,
    code: userTouch((a) => a.mov(dword(rbx), eax)),
  },
  {
    name: 'a fetch from a no-execute page',
    entry: DATA_PAGE | WRITABLE | NO_EXECUTE,
    errorCode: PROTECTION | FETCH,
    code: touch((a) => {
      enableNoExecute(a);
      a.mov(rbx, WINDOW);
      a.mov(eax, dword(rbx)); // reading is allowed
      a.jmp(rbx);
    }),
  },
  {
    name: 'the second page of an access across two',
    entry: DATA_PAGE | WRITABLE,
    errorCode: WRITE,
    offset: 0x1000,
    code: touch((a) => a.mov(qword(rbx, 0xffd), rax)),
  },
];

const pageFaults = PAGE_FAULTS.map(({ name, entry = 0n, errorCode, offset = 0, code }): ConformanceCase => {
  return {
    name: `#PF with its error code and address: ${name}`,
    run(t) {
      const machine = t.machine({
        code(a) {
          code(a);
          report(a, 0xbad);
          done(a);
          pageFaultHandler(a);
        },
        vectors: { 14: 'page fault' },
      });
      mapPage(machine, 0, entry);
      const [error, ...address] = machine.finish();
      assert.equal(error, errorCode);
      assert.deepEqual(wideReports(address), [BigInt(WINDOW + offset)]);
    },
  };
});

const writeProtectOff: ConformanceCase = {
  name: 'a supervisor writes read-only pages while CR0.WP is off',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rbx, WINDOW);
        a.mov(dword(rbx), 0x600d);
        done(a);
      },
    });
    mapPage(machine, 0, DATA_PAGE);
    machine.finish();
    assert.equal(machine.memory.readU32(DATA), 0x600d);
  },
};

const invalidation: ConformanceCase = {
  name: 'INVLPG and a load of CR3 make a changed mapping visible',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rbx, WINDOW);
        a.mov(eax, dword(rbx));
        reportEax(a);
        a.mov(qword(TABLE), Number(page(DATA + 0x1000, PRESENT)));
        a.invlpg(at(rbx));
        a.mov(eax, dword(rbx));
        reportEax(a);
        a.mov(qword(DIRECTORY), Number(page(SECOND_TABLE, PRESENT)));
        a.mov(rax, cr3);
        a.mov(cr3, rax);
        a.mov(eax, dword(rbx));
        reportEax(a);
        done(a);
      },
    });
    mapPage(machine, 0, DATA_PAGE);
    machine.memory.writeU64(SECOND_TABLE, page(DATA + 0x2000, PRESENT));
    for (const i of [0, 1, 2]) machine.memory.writeU32(DATA + i * 0x1000, 0x100 + i);
    assert.deepEqual(machine.finish(), [0x100, 0x101, 0x102]);
  },
};

const globalPages: ConformanceCase = {
  name: 'another CR3 is another address space',
  run(t) {
    const machine = t.machine({
      code(a) {
        setCr4(a, CR4_PGE);
        a.mov(rbx, WINDOW);
        for (const root of [PML4, SPARE + 0x4000, PML4]) {
          a.mov(eax, root);
          a.mov(cr3, rax);
          a.mov(eax, dword(rbx));
          reportEax(a);
        }
        done(a);
      },
    });
    mapPage(machine, 0, DATA_PAGE);
    machine.memory.writeU32(DATA, 1);
    machine.memory.writeU32(DATA + 0x1000, 2);
    // The second root shares the first GiB and has its own window.
    const [root, pointers, directory, table] = [0x4000, 0x5000, 0x6000, 0x7000].map((it) => SPARE + it) as [
      number,
      number,
      number,
      number,
    ];
    machine.memory.writeU64(root, page(pointers, PRESENT | WRITABLE));
    machine.memory.writeU64(pointers, machine.memory.readU64(PDPT));
    machine.memory.writeU64(pointers + 4 * 8, page(directory, PRESENT | WRITABLE));
    machine.memory.writeU64(directory, page(table, PRESENT | WRITABLE));
    machine.memory.writeU64(table, page(DATA + 0x1000, PRESENT));
    assert.deepEqual(machine.finish(), [1, 2, 1]);
  },
};

/** The handler maps the page and returns: the instruction starts again and succeeds. */
const demandPaging: ConformanceCase = {
  name: 'an instruction starts again after its page fault was served',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rbx, WINDOW);
        a.mov(edx, 41);
        a.label('add');
        a.add(dword(rbx), edx);
        a.mov(eax, dword(rbx));
        reportEax(a);
        done(a);
        a.label('page fault');
        a.add(rsp, 8);
        a.mov(qword(TABLE), Number(DATA_PAGE | WRITABLE));
        report(a, 0xf);
        a.iret();
      },
      vectors: { 14: 'page fault' },
    });
    mapPage(machine, 0, 0n);
    machine.memory.writeU32(DATA, 1);
    assert.deepEqual(machine.finish(), [0xf, 42]);
  },
};

export const pagingCases: readonly ConformanceCase[] = [
  smallPages,
  largePages,
  accessedAndDirty,
  ...pageFaults,
  writeProtectOff,
  demandPaging,
  invalidation,
  globalPages,
];
