/**
 * Decimal arithmetic against what it is for: numbers, in all combinations of digits. Natively it runs in 32-bit code
 * only, which some hosts have no segments for (Intel SDM Vol. 1 §7.3.3 "Decimal Arithmetic Instructions").
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatusFlag } from '@vireo/x86-isa';
import { SingleInstruction } from './testing/single-instruction.ts';

const MNEMONICS = ['AAA', 'AAS', 'DAA', 'DAS', 'AAM', 'AAD', 'ADC', 'SBB'];
const OPCODE = { AAA: [0x37], AAS: [0x3f], DAA: [0x27], DAS: [0x2f], ADC: [0x10, 0xd8], SBB: [0x18, 0xd8] };
const machine = new SingleInstruction(MNEMONICS, 32);

const packed = (number: number) => (Math.trunc(number / 10) << 4) | (number % 10);
const DIGITS = Array.from({ length: 10 }, (_, digit) => digit);
const NUMBERS = Array.from({ length: 100 }, (_, number) => number);

/** AL or AX with BL, by an instruction, then by the adjustment. */
function calculate(
  [operation, adjustment]: readonly [keyof typeof OPCODE, keyof typeof OPCODE],
  [a, b]: readonly [number, number],
  carry: boolean,
): { ax: number; flags: readonly StatusFlag[] } {
  const first = machine.run(OPCODE[operation], [BigInt(a), 0n, 0n, BigInt(b)], carry ? ['CF'] : []);
  const second = machine.run(OPCODE[adjustment], [...first.registers], first.flags);
  return { ax: Number(second.registers[0]), flags: second.flags };
}

test('DAA: two packed numbers are added, with a carry in and out', () => {
  for (const a of NUMBERS)
    for (const b of NUMBERS)
      for (const carry of [0, 1]) {
        const { ax, flags } = calculate(['ADC', 'DAA'], [packed(a), packed(b)], carry === 1);
        const sum = a + b + carry;
        assert.equal(ax, packed(sum % 100), `${a} + ${b} + ${carry}`);
        assert.equal(flags.includes('CF'), sum >= 100, `${a} + ${b} + ${carry}: CF`);
        assert.equal(flags.includes('AF'), (a % 10) + (b % 10) + carry >= 10, `${a} + ${b} + ${carry}: AF`);
        assert.equal(flags.includes('ZF'), sum % 100 === 0, `${a} + ${b} + ${carry}: ZF`);
      }
});

test('DAS: packed numbers are subtracted, with a borrow in and out', () => {
  for (const a of NUMBERS)
    for (const b of NUMBERS)
      for (const borrow of [0, 1]) {
        const { ax, flags } = calculate(['SBB', 'DAS'], [packed(a), packed(b)], borrow === 1);
        const difference = a - b - borrow;
        assert.equal(ax, packed((difference + 100) % 100), `${a} - ${b} - ${borrow}`);
        assert.equal(flags.includes('CF'), difference < 0, `${a} - ${b} - ${borrow}: CF`);
        assert.equal(flags.includes('SF'), ax >= 0x80, `${a} - ${b} - ${borrow}: SF`);
      }
});

test('DAA and DAS of what is no number do as the operation section says', () => {
  // The manual's examples, then borrows from less than 6, and digits above 9.
  assert.equal(machine.run(OPCODE.DAA, [0xaen]).registers[0], 0x14n);
  assert.deepEqual(machine.run(OPCODE.DAS, [0xeen], ['CF', 'AF']), {
    registers: BigUint64Array.of(0x88n, ...Array<bigint>(15).fill(0n)),
    flags: ['CF', 'PF', 'AF', 'SF'],
  });
  const borrowed = machine.run(OPCODE.DAS, [0x03n], ['AF']);
  assert.equal(borrowed.registers[0], 0xfdn);
  assert.deepEqual(borrowed.flags, ['CF', 'AF', 'SF']);
  const most = machine.run(OPCODE.DAA, [0xffn]);
  assert.equal(most.registers[0], 0x65n);
  assert.deepEqual(most.flags, ['CF', 'PF', 'AF']);
});

test('AAA and AAS: a digit in AL, its carry in AH', () => {
  for (const a of DIGITS)
    for (const b of DIGITS)
      for (const high of [0, 1, 9]) {
        const sum = calculate(['ADC', 'AAA'], [(high << 8) | a, b], false);
        assert.equal(sum.ax, ((high + Math.trunc((a + b) / 10)) << 8) | ((a + b) % 10), `${a} + ${b}`);
        assert.equal(sum.flags.includes('CF'), a + b >= 10);
        const difference = calculate(['SBB', 'AAS'], [(high << 8) | a, b], false);
        const borrow = a < b ? 1 : 0;
        assert.equal(difference.ax, (((high - borrow) & 0xff) << 8) | ((a - b + 10) % 10), `${a} - ${b}`);
        assert.equal(difference.flags.includes('AF'), a < b);
      }
});

test('AAM takes AL apart in any base, and AAD puts it together', () => {
  for (const base of [1, 2, 10, 16, 255])
    for (let value = 0; value < 256; value++) {
      const apart = machine.run([0xd4, base], [BigInt(value) | 0xabcd_1200n]);
      const ax = Number(apart.registers[0]! & 0xffffn);
      assert.equal(ax, (Math.trunc(value / base) << 8) | (value % base), `${value} in base ${base}`);
      assert.equal(apart.registers[0]! >> 16n, 0xabcdn);
      assert.equal(apart.flags.includes('ZF'), value % base === 0);
      const together = machine.run([0xd5, base], [...apart.registers]);
      assert.equal(together.registers[0]! & 0xffffn, BigInt(value));
      assert.equal(together.flags.includes('SF'), value >= 0x80);
    }
});

test('AAM in base 0 raises #DE and changes nothing', () => {
  const outcome = machine.run([0xd4, 0], [0x1234n], ['CF', 'OF']);
  assert.equal(outcome.exception, 0);
  assert.equal(outcome.registers[0], 0x1234n);
  assert.deepEqual(outcome.flags, ['CF', 'OF']);
});
