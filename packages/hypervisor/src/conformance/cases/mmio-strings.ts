/** String instructions whose memory is MMIO: one exit an item, in order. */
import assert from 'node:assert/strict';
import { type Assembler, eax, ecx, edi, esi } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { answer, exitValue } from '../exit-data.ts';
import { done, reportEax } from '../guest-code.ts';
import { DATA, MMIO } from '../guest-layout.ts';

const ITEMS = [0x11223344, 0x55667788, 0x99aabbcc];

function prepare(a: Assembler, source: number, destination: number, count: number): void {
  a.mov(esi, source);
  a.mov(edi, destination);
  a.mov(ecx, count);
  a.cld();
}

function reportEcx(a: Assembler): void {
  a.mov(eax, ecx);
  reportEax(a);
  done(a);
}

const toMmio: ConformanceCase = {
  name: 'REP MOVS from RAM to MMIO writes item after item',
  run(t) {
    const machine = t.machine({
      code(a) {
        prepare(a, DATA, MMIO, ITEMS.length);
        a.rep();
        a.movs(32);
        reportEcx(a);
      },
    });
    for (const [i, item] of ITEMS.entries()) machine.memory.writeU32(DATA + i * 4, item);
    for (const [i, item] of ITEMS.entries())
      assert.equal(exitValue(machine.expectMmio('write', MMIO + i * 4, 4)), BigInt(item));
    assert.deepEqual(machine.finish(), [0]);
  },
};

const fromMmio: ConformanceCase = {
  name: 'REP MOVS from MMIO to RAM reads item after item',
  run(t) {
    const machine = t.machine({
      code(a) {
        prepare(a, MMIO, DATA, ITEMS.length);
        a.rep();
        a.movs(32);
        reportEcx(a);
      },
    });
    for (const [i, item] of ITEMS.entries()) answer(machine.expectMmio('read', MMIO + i * 4, 4), item);
    assert.deepEqual(machine.finish(), [0]);
    for (const [i, item] of ITEMS.entries()) assert.equal(machine.memory.readU32(DATA + i * 4), item);
  },
};

const betweenMmio: ConformanceCase = {
  name: 'MOVS from MMIO to MMIO is a read and a write of the same value',
  run(t) {
    const machine = t.machine({
      code(a) {
        prepare(a, MMIO, MMIO + 0x100, 2);
        a.rep();
        a.movs(16);
        reportEcx(a);
      },
    });
    for (const i of [0, 1]) {
      answer(machine.expectMmio('read', MMIO + i * 2, 2), 0xa000 + i);
      assert.equal(exitValue(machine.expectMmio('write', MMIO + 0x100 + i * 2, 2)), BigInt(0xa000 + i));
    }
    assert.deepEqual(machine.finish(), [0]);
  },
};

const fill: ConformanceCase = {
  name: 'REP STOS fills MMIO, and LODS reads it',
  run(t) {
    const machine = t.machine({
      code(a) {
        prepare(a, MMIO + 0x40, MMIO, 3);
        a.mov(eax, 0x7e);
        a.rep();
        a.stos(8);
        a.lods(32);
        reportEax(a);
        reportEcx(a);
      },
    });
    for (const i of [0, 1, 2]) assert.equal(exitValue(machine.expectMmio('write', MMIO + i, 1)), 0x7en);
    answer(machine.expectMmio('read', MMIO + 0x40, 4), 0x600d);
    assert.deepEqual(machine.finish(), [0x600d, 0]);
  },
};

const scan: ConformanceCase = {
  name: 'REPNE SCAS over MMIO stops at the value it looks for',
  run(t) {
    const machine = t.machine({
      code(a) {
        prepare(a, 0, MMIO, 10);
        a.mov(eax, 0x33);
        a.repne();
        a.scas(8);
        reportEcx(a);
      },
    });
    for (const [i, value] of [0x11, 0x22, 0x33].entries())
      answer(machine.expectMmio('read', MMIO + i, 1), value);
    assert.deepEqual(machine.finish(), [7]);
  },
};

export const stringMmioCases: readonly ConformanceCase[] = [toMmio, fromMmio, betweenMmio, fill, scan];
