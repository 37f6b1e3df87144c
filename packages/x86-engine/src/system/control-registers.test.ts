import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { faults, machine } from '../testing/test-processor.ts';
import { dataBreakpoint, executeBreakpoint, portBreakpoint } from './debug-breakpoints.ts';
import { VECTOR } from './guest-fault.ts';
import { OPERATIONS } from './operations.ts';
import type { Operation } from './system-processor.ts';

const PE = 1n;
const PG = 1n << 31n;
const PAE = 1n << 5n;
const PCIDE = 1n << 17n;
const UMIP = 1n << 11n;
const LME = 0x100n;
const LMA = 0x400n;
const gp = faults(VECTOR.GP, 0);
const ud = faults(VECTOR.UD);

type Machine = ReturnType<typeof machine>;
const run = ({ processor }: Machine, operation: Operation, a = 0n, b = 0n) =>
  operation(processor, { a, b, operandBits: 64 });
const write = (on: Machine, number: bigint, value: bigint) =>
  run(on, OPERATIONS.writeControlRegister, number, value);

describe('MOV of control registers', () => {
  test('paging with EFER.LME begins IA-32e mode, and its end ends it', () => {
    const on = machine('protected');
    Object.assign(on.special, { cr0: PE, cr4: PAE, efer: LME });
    write(on, 0n, PE | PG);
    assert.equal(on.special.efer, LME | LMA);
    write(on, 0n, PE);
    assert.deepEqual([on.special.efer, on.special.cr0 & PG], [LME, 0n]);
    assert.deepEqual(on.processor.calls, ['all', 'all']);
  });

  test('combinations that there are not: nothing changes', () => {
    const cases: [string, Partial<Machine['special']>, bigint, bigint][] = [
      ['paging without protection', { cr0: PE }, 0n, PG],
      ['IA-32e mode without PAE', { cr0: PE, cr4: 0n, efer: LME }, 0n, PE | PG],
      ['NW without CD', { cr0: PE }, 0n, PE | (1n << 29n)],
      ['upper half', { cr0: PE }, 0n, PE | (1n << 32n)],
      ['PCIDE outside of IA-32e mode', {}, 4n, PAE | PCIDE],
      ['a bit of CR4 that is reserved', {}, 4n, 1n << 15n],
      ['CR8 above 15', {}, 8n, 16n],
      ['CR3 above the width of addresses', {}, 3n, 1n << 40n],
    ];
    for (const [name, special, number, value] of cases) {
      const on = machine('protected');
      Object.assign(on.special, special);
      const before = structuredClone(on.special);
      assert.throws(() => write(on, number, value), gp, name);
      assert.deepEqual(on.special, before, name);
    }
  });

  test('a 16-bit TSS and 64-bit code keep IA-32e mode from beginning', () => {
    for (const part of ['tr', 'cs'] as const) {
      const on = machine('protected');
      Object.assign(on.special, { cr0: PE, cr4: PAE, efer: LME });
      on.special[part] = { ...on.special[part], ...(part === 'tr' ? { type: 3 } : { long: true }) };
      assert.throws(() => write(on, 0n, PE | PG), gp, part);
    }
  });

  test('in 64-bit mode paging and PAE stay on, and PCIDE wants PCID 0', () => {
    const on = machine('long');
    assert.throws(() => write(on, 0n, PE), gp);
    assert.throws(() => write(on, 4n, 0n), gp);
    on.special.cr3 = 0x1001n;
    assert.throws(() => write(on, 4n, PAE | PCIDE), gp);
    on.special.cr3 = 0x1000n;
    write(on, 4n, PAE | PCIDE);
    write(on, 3n, (1n << 63n) | 0x2001n);
    assert.equal(on.special.cr3, 0x2001n);
    assert.deepEqual(on.processor.calls, ['all', 'non-global']);
  });

  test('CR4 takes what CPUID shows', () => {
    const on = machine('long');
    on.processor.features = 0;
    assert.throws(() => write(on, 4n, PAE | UMIP), gp);
    write(on, 4n, PAE);
  });

  test('CR1, CR5 and others are #UD, whatever the privilege; the rest #GP for users', () => {
    const on = machine('long', 3);
    for (const number of [1n, 5n, 7n, 9n, 15n])
      assert.throws(() => run(on, OPERATIONS.readControlRegister, number), ud);
    assert.throws(() => run(on, OPERATIONS.readControlRegister, 0n), gp);
    assert.throws(() => write(on, 3n, 0n), gp);
  });

  test('LMSW sets PE and does not clear it; CLTS clears TS', () => {
    const on = machine('protected');
    run(on, OPERATIONS.loadMachineStatus, 0xfff8n);
    assert.equal(on.special.cr0 & 0xffn, 0x19n);
    run(on, OPERATIONS.clearTaskSwitched);
    assert.equal(on.special.cr0 & 0xffn, 0x11n);
    const real = machine('real');
    run(real, OPERATIONS.loadMachineStatus, 1n);
    assert.equal(real.special.cr0 & 1n, 1n);
  });

  test('UMIP keeps SMSW, SGDT, SIDT, SLDT and STR from users', () => {
    const names = ['storeMachineStatus', 'storeGdt', 'storeIdt', 'storeLdt', 'storeTaskRegister'] as const;
    for (const name of names) {
      const on = machine('long', 3);
      run(on, OPERATIONS[name], 0x3000n);
      on.special.cr4 |= UMIP;
      assert.throws(() => run(on, OPERATIONS[name], 0x3000n), gp, name);
    }
  });
});

describe('debug registers', () => {
  test('DR4 and DR5 are DR6 and DR7 until CR4.DE; reserved bits are fixed', () => {
    const on = machine('long');
    run(on, OPERATIONS.writeDebugRegister, 5n, 0xffffn & ~0x2000n);
    run(on, OPERATIONS.writeDebugRegister, 4n, 0n);
    assert.equal(run(on, OPERATIONS.readDebugRegister, 7n), 0x07ffn);
    assert.equal(run(on, OPERATIONS.readDebugRegister, 6n), 0xffff_0ff0n);
    assert.throws(() => run(on, OPERATIONS.writeDebugRegister, 7n, 1n << 32n), gp);
    on.special.cr4 |= 8n;
    assert.throws(() => run(on, OPERATIONS.readDebugRegister, 4n), ud);
    assert.throws(() => run(on, OPERATIONS.readDebugRegister, 8n), ud);
  });

  test('with GD an access is #DB, which says so in DR6 and clears GD', () => {
    const on = machine('long');
    on.processor.debug.dr7 |= 0x2000n;
    assert.throws(() => run(on, OPERATIONS.writeDebugRegister, 0n, 5n), faults(VECTOR.DB));
    assert.deepEqual([on.processor.debug.dr6, on.processor.debug.dr7], [0xffff_2ff0n, 0x400n]);
    run(on, OPERATIONS.writeDebugRegister, 0n, 5n);
    assert.equal(on.processor.debug.addresses[0], 5n);
  });

  test('breakpoints match by kind, alignment and length', () => {
    const at = (dr7: bigint) => ({
      addresses: [0x1000n, 0x2003n, 0x3000n, 0x60n] as [bigint, bigint, bigint, bigint],
      ...{ dr6: 0n, dr7 },
    });
    // 0: execution; 1: writes of 4 bytes; 2: all accesses of 8; 3: I/O of 1.
    const all = at(0xffn | (0xdn << 20n) | (0xbn << 24n) | (2n << 28n));
    assert.equal(executeBreakpoint(all, 0x1000n), 1n);
    assert.equal(executeBreakpoint(all, 0x1001n), 0n);
    assert.equal(dataBreakpoint(all, 0x2000n, 1, true), 2n);
    assert.equal(dataBreakpoint(all, 0x2000n, 1, false), 0n);
    assert.equal(dataBreakpoint(all, 0x1fffn, 1, true), 0n);
    assert.equal(dataBreakpoint(all, 0x3007n, 2, false), 4n);
    assert.equal(portBreakpoint(all, 0x60, 1), 8n);
    assert.equal(executeBreakpoint(at(0n), 0x1000n), 0n);
  });
});
