/** What instructions make of an MMIO operand: which exits, in which order. */
import assert from 'node:assert/strict';
import { type Assembler, bl, byte, dword, eax, edx, qword, rbx, word } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { answer, exitValue } from '../exit-data.ts';
import { done, reportEax, reportWide, wideReports } from '../guest-code.ts';
import { MMIO } from '../guest-layout.ts';

const VALUE = 0x8877665544332211n;

const extensions: ConformanceCase = {
  name: 'MOVZX, MOVSX and MOVSXD read only their source and extend it',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rbx, -1);
        a.movzx(rbx, byte(MMIO));
        reportWide(a, rbx);
        a.movsx(rbx, word(MMIO + 2));
        reportWide(a, rbx);
        a.movsxd(rbx, dword(MMIO + 4));
        reportWide(a, rbx);
        done(a);
      },
    });
    const lengths: Record<number, number> = { [MMIO]: 1, [MMIO + 2]: 2, [MMIO + 4]: 4 };
    const reports = machine.finish({
      serve(exit) {
        if (exit.kind !== 'mmio' || exit.lengthBytes !== lengths[exit.gpa]) return false;
        answer(exit, VALUE | 0x8000_8080n);
        return true;
      },
    });
    const values = wideReports(reports);
    assert.equal(values[0], (VALUE | 0x80n) & 0xffn);
    assert.equal(values[1], BigInt.asUintN(64, BigInt.asIntN(16, VALUE | 0x80808080n)));
    assert.equal(values[2], BigInt.asUintN(64, BigInt.asIntN(32, VALUE | 0x80008080n)));
  },
};

/** Instructions that read a 32-bit register and write it back: what they write when they read 0x80000005, EAX being 3. */
const READ_MODIFY_WRITE: [name: string, write: (a: Assembler) => void, result: bigint][] = [
  ['ADD [mmio], EAX', (a) => a.add(dword(MMIO), eax), 0x80000008n],
  ['SUB [mmio], imm', (a) => a.sub(dword(MMIO), 6), 0x7fffffffn],
  ['XOR [mmio], EAX', (a) => a.xor(dword(MMIO), eax), 0x80000006n],
  ['INC [mmio]', (a) => a.inc(dword(MMIO)), 0x80000006n],
  ['NOT [mmio]', (a) => a.not(dword(MMIO)), 0x7ffffffan],
  ['NEG [mmio]', (a) => a.neg(dword(MMIO)), 0x7ffffffbn],
  ['SHL [mmio], 1', (a) => a.shl(dword(MMIO), 1), 0x0000000an],
  ['BTS [mmio], 4', (a) => a.bts(dword(MMIO), 4), 0x80000015n],
  ['XCHG [mmio], EAX', (a) => a.xchg(dword(MMIO), eax), 3n],
  ['LOCK OR [mmio], imm', (a) => [a.lock(), a.or(dword(MMIO), 0x100)], 0x80000105n],
];

const readModifyWrites = READ_MODIFY_WRITE.map(([name, write, result]): ConformanceCase => {
  return {
    name: `${name} is a read and then a write`,
    run(t) {
      const machine = t.machine({
        code(a) {
          a.mov(eax, 3);
          write(a);
          reportEax(a);
          done(a);
        },
      });
      answer(machine.expectMmio('read', MMIO, 4), 0x80000005);
      assert.equal(exitValue(machine.expectMmio('write', MMIO, 4)), result);
      assert.deepEqual(machine.finish(), [name.startsWith('XCHG') ? 0x80000005 : 3]);
    },
  };
});

const flagsOfRead: ConformanceCase = {
  name: 'TEST and CMP only read, and set flags from the answer',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.test(byte(MMIO), 0x40);
        a.setcc('ne', bl);
        a.movzx(eax, bl);
        reportEax(a);
        a.cmp(word(MMIO + 8), 0x1234);
        a.setcc('e', bl);
        a.movzx(eax, bl);
        reportEax(a);
        done(a);
      },
    });
    answer(machine.expectMmio('read', MMIO, 1), 0x40);
    const first = machine.runOnce();
    assert.equal(first.kind === 'io' && exitValue(first), 1n);
    answer(machine.expectMmio('read', MMIO + 8, 2), 0x1234);
    assert.deepEqual(machine.finish(), [1]);
  },
};

const stackOperands: ConformanceCase = {
  name: 'PUSH [mmio] reads 8 bytes and POP [mmio] writes them',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.push(qword(MMIO));
        a.pop(qword(MMIO + 8));
        done(a);
      },
    });
    answer(machine.expectMmio('read', MMIO, 8), VALUE);
    assert.equal(exitValue(machine.expectMmio('write', MMIO + 8, 8)), VALUE);
    machine.expectDone();
  },
};

const compareExchange: ConformanceCase = {
  name: 'CMPXCHG of an MMIO register compares with the answer',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(eax, 5);
        a.mov(edx, 9);
        a.cmpxchg(dword(MMIO), edx);
        a.setcc('e', bl);
        a.movzx(eax, bl);
        reportEax(a);
        done(a);
      },
    });
    answer(machine.expectMmio('read', MMIO, 4), 5);
    assert.equal(exitValue(machine.expectMmio('write', MMIO, 4)), 9n);
    assert.deepEqual(machine.finish(), [1]);
  },
};

export const mmioInstructionCases: readonly ConformanceCase[] = [
  extensions,
  ...readModifyWrites,
  compareExchange,
  flagsOfRead,
  stackOperands,
];
