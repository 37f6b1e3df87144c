/** The page walk of the memory unit (assembly/memory-unit/page-walk.ts), over page tables in memory. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AccessKind, Rights } from '../memory/unit-numbers.ts';
import { MemoryUnitMachine } from '../testing/memory-unit-machine.ts';
import { PF } from './page-fault.ts';
import {
  CR0_PG,
  CR0_WP,
  CR4_PAE,
  CR4_PSE,
  CR4_SMAP,
  CR4_SMEP,
  EFER_LME,
  EFER_NXE,
  type PagingControls,
} from './paging-mode.ts';

const [P, W, U, A, D, PS, G] = [1n, 2n, 4n, 32n, 64n, 128n, 256n] as const;
const NX = 1n << 63n;
const ROOT = 0x1000n;
const [PDPT, DIRECTORY, TABLE] = [0x2000n, 0x3000n, 0x4000n] as const;
/** Beyond memory: a walk that arrives there says so. */
const PAGE = 0x7_0000_5000n;
/** Index 1 in each of the four tables. */
const GVA = (1n << 39n) | (1n << 30n) | (1n << 21n) | (1n << 12n) | 0x234n;

const LONG: PagingControls = {
  cr0: CR0_PG | CR0_WP,
  rootGpa: Number(ROOT),
  cr4: CR4_PAE,
  efer: EFER_LME | EFER_NXE,
  physicalBits: 40,
};

interface Access {
  readonly kind: AccessKind;
  readonly rights: Rights;
}

interface Entries {
  top?: bigint;
  pdpt?: bigint;
  directory?: bigint;
  table?: bigint;
}

const OPEN = P | W | U;

function fourLevels({
  top = OPEN,
  pdpt = OPEN,
  directory = OPEN,
  table = OPEN,
}: Entries = {}): MemoryUnitMachine {
  const memory = new MemoryUnitMachine();
  memory.set64(ROOT + 8n, top | PDPT);
  memory.set64(PDPT + 8n, pdpt | DIRECTORY);
  memory.set64(DIRECTORY + 8n, directory | TABLE);
  memory.set64(TABLE + 8n, table | PAGE);
  return memory;
}

const read: Access = { kind: 'read', rights: 'supervisor' };
const write: Access = { kind: 'write', rights: 'supervisor' };
const execute: Access = { kind: 'execute', rights: 'supervisor' };
const byUser = (access: Access): Access => ({ ...access, rights: 'user' });

interface Walked {
  readonly gpa: number;
  readonly pageBytes: number;
  readonly mayWrite: boolean;
  readonly isGlobal: boolean;
}

function walk(
  machine: MemoryUnitMachine,
  { kind, rights }: Access,
  controls: Partial<PagingControls> = {},
  gva = GVA,
): Walked | { readonly errorCode: number } {
  const { translations, unit } = machine;
  unit.empty();
  translations.setControls({ ...LONG, ...controls });
  const place = translations.translate(gva, kind, rights);
  if ('errorCode' in place) return place;
  return {
    gpa: Number(unit.gpa.value),
    pageBytes: 2 ** unit.pageShift.value,
    mayWrite: unit.mayWrite.value !== 0,
    isGlobal: unit.isGlobal.value !== 0,
  };
}

function translated(result: ReturnType<typeof walk>): Walked {
  assert.ok('gpa' in result, `fault ${'errorCode' in result && result.errorCode}`);
  return result;
}

function errorCode(result: ReturnType<typeof walk>): number {
  assert.ok('errorCode' in result, 'no fault');
  return result.errorCode;
}

test('without paging a linear address is the physical one', () => {
  assert.equal(translated(walk(new MemoryUnitMachine(), write, { cr0: 0 }, 0x1234_5678n)).gpa, 0x12345678);
});

describe('4-level paging', () => {
  test('pages of 4 KiB, 2 MiB and 1 GiB', () => {
    assert.equal(translated(walk(fourLevels(), read)).gpa, Number(PAGE) + 0x234);
    const large = fourLevels({ directory: OPEN | PS | 0x40_0000n });
    large.set64(DIRECTORY + 8n, OPEN | PS | 0x40_0000n);
    assert.deepEqual(
      [translated(walk(large, read)).gpa, translated(walk(large, read)).pageBytes],
      [0x401234, 2 ** 21],
    );
    const huge = fourLevels();
    huge.set64(PDPT + 8n, OPEN | PS | 0x8000_0000n);
    assert.deepEqual(
      [translated(walk(huge, read)).gpa, translated(walk(huge, read)).pageBytes],
      [0x80000000 + 0x201234, 2 ** 30],
    );
  });

  test('an entry that is not present faults at every level, without the present bit in the error code', () => {
    for (const level of ['top', 'pdpt', 'directory', 'table'] as const) {
      const memory = fourLevels({ [level]: W | U });
      assert.equal(errorCode(walk(memory, read)), 0);
      assert.equal(errorCode(walk(memory, byUser(write))), PF.USER | PF.WRITE);
      assert.equal(errorCode(walk(memory, execute)), PF.INSTRUCTION);
    }
  });

  test('rights are those that all levels give', () => {
    for (const level of ['top', 'pdpt', 'directory', 'table'] as const) {
      assert.equal(errorCode(walk(fourLevels({ [level]: P | W }), byUser(read))), PF.PRESENT | PF.USER);
      assert.equal(errorCode(walk(fourLevels({ [level]: P | U }), write)), PF.PRESENT | PF.WRITE);
      assert.equal(errorCode(walk(fourLevels({ [level]: OPEN | NX }), execute)), PF.PRESENT | PF.INSTRUCTION);
    }
  });

  test('without CR0.WP supervisors write what is read-only, users do not', () => {
    const memory = fourLevels({ table: P | U });
    translated(walk(memory, write, { cr0: CR0_PG }));
    assert.equal(errorCode(walk(memory, byUser(write), { cr0: CR0_PG })), PF.PRESENT | PF.WRITE | PF.USER);
  });

  test('SMEP keeps supervisors from executing user pages, SMAP from reading them unless AC is set', () => {
    const cr4 = CR4_PAE | CR4_SMEP | CR4_SMAP;
    assert.equal(errorCode(walk(fourLevels(), execute, { cr4 })), PF.PRESENT | PF.INSTRUCTION);
    assert.equal(errorCode(walk(fourLevels(), read, { cr4 })), PF.PRESENT);
    translated(walk(fourLevels(), { kind: 'read', rights: 'allowed' }, { cr4 }));
    translated(walk(fourLevels({ table: P | W }), execute, { cr4 }));
  });

  test('accessed flags are set on the way, the dirty flag by a write, none by a fault', () => {
    const memory = fourLevels();
    assert.equal(translated(walk(memory, read)).mayWrite, false);
    for (const gpa of [ROOT + 8n, PDPT + 8n, DIRECTORY + 8n, TABLE + 8n])
      assert.equal(memory.get64(gpa) & (A | D), A, `${gpa}`);
    assert.equal(translated(walk(memory, write)).mayWrite, true);
    assert.equal(memory.get64(TABLE + 8n) & (A | D), A | D);
    assert.equal(memory.get64(DIRECTORY + 8n) & D, 0n);
    const refused = fourLevels({ table: P | W });
    errorCode(walk(refused, byUser(read)));
    assert.equal(refused.get64(TABLE + 8n) & A, 0n);
  });

  test('an entry that another processor changes meanwhile is looked at again', () => {
    const memory = fourLevels();
    // The unit tells of a write to code before it sets the flag: the other processor comes in between.
    memory.physical.states.markCode(memory.addressOf(TABLE));
    memory.onCodeWritten = () => memory.set64(TABLE + 8n, 0n);
    assert.equal(errorCode(walk(memory, read)), 0);
  });

  test('reserved bits: beyond the physical width, NX without EFER.NXE, the size bit of the top, a large page’s offset', () => {
    const reserved = PF.PRESENT | PF.RESERVED;
    assert.equal(errorCode(walk(fourLevels({ table: OPEN | (1n << 40n) }), read)), reserved);
    translated(walk(fourLevels({ table: OPEN | (1n << 52n) }), read)); // the operating system's
    assert.equal(errorCode(walk(fourLevels({ pdpt: OPEN | NX }), read, { efer: EFER_LME })), reserved);
    assert.equal(errorCode(walk(fourLevels({ top: OPEN | PS }), read)), reserved);
    const large = fourLevels();
    large.set64(DIRECTORY + 8n, OPEN | PS | 0x40_2000n);
    assert.equal(errorCode(walk(large, read)), reserved);
    large.set64(DIRECTORY + 8n, OPEN | PS | 0x40_1000n); // the PAT's bit
    translated(walk(large, read));
  });

  test('global pages are told', () => {
    assert.equal(translated(walk(fourLevels({ table: OPEN | G }), read)).isGlobal, true);
    assert.equal(translated(walk(fourLevels(), read)).isGlobal, false);
  });
});

describe('the older modes', () => {
  test('32-bit: 4 KiB pages, 4 MiB pages with PSE and 40 bits of address, no fetch bit without NX and SMEP', () => {
    const memory = new MemoryUnitMachine();
    memory.set32(ROOT + 4n, 0x3007);
    memory.set32(0x3000n + 4n, 0x5003);
    const controls = { cr4: CR4_PSE, efer: 0 };
    assert.equal(translated(walk(memory, write, controls, 0x40_1567n)).gpa, 0x5567);
    assert.equal(errorCode(walk(memory, byUser(execute), controls, 0x40_1567n)), PF.PRESENT | PF.USER);
    memory.set32(ROOT + 4n, 0x0080_0087 | (0x12 << 13));
    assert.equal(translated(walk(memory, read, controls, 0x7f_ffffn)).gpa, 0x12 * 2 ** 32 + 0xbfffff);
    assert.equal(errorCode(walk(memory, read, { cr4: 0, efer: 0 }, 0x40_1567n)), 0);
  });

  test('PAE: three levels, of which the top has no rights', () => {
    const memory = new MemoryUnitMachine();
    memory.set64(ROOT, P | DIRECTORY);
    memory.set64(DIRECTORY + 8n, OPEN | TABLE);
    memory.set64(TABLE + 8n, OPEN | PAGE);
    const controls = { efer: EFER_NXE };
    assert.equal(translated(walk(memory, byUser(write), controls, 0x20_1234n)).gpa, Number(PAGE) + 0x234);
    assert.equal(memory.get64(ROOT) & A, 0n);
    memory.set64(ROOT, P | W | DIRECTORY);
    assert.equal(errorCode(walk(memory, read, controls, 0x20_1234n)), PF.PRESENT | PF.RESERVED);
  });
});
