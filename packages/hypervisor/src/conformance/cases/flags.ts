/** The status flags of byte arithmetic, over every carry and sign (Intel SDM Vol. 1 §3.4.3.1 "Status Flags"). */
import assert from 'node:assert/strict';
import { type Assembler, al, bl, byte, ecx, edi, esi, qword, rdi, rdx, rsi } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done } from '../guest-code.ts';
import { DATA } from '../guest-layout.ts';

const CF = 1;
const PF = 4;
const AF = 0x10;
const ZF = 0x40;
const SF = 0x80;
const OF = 0x800;
const STATUS = CF | PF | AF | ZF | SF | OF;

const OPERANDS = [0, 1, 0x0f, 0x10, 0x7f, 0x80, 0x81, 0xf0, 0xff];
const RESULTS = DATA + 0x8000;

type Operation = 'add' | 'adc' | 'sub' | 'sbb' | 'and' | 'cmp';

/** Result and flags; AF only where it is defined. */
function expected(
  operation: Operation,
  x: number,
  y: number,
): { result: number; flags: number; defined: number } {
  if (operation === 'and') return { result: x & y, flags: resultFlags(x & y), defined: STATUS & ~AF };
  const subtracts = operation === 'sub' || operation === 'sbb' || operation === 'cmp';
  const carry = operation === 'adc' || operation === 'sbb' ? 1 : 0;
  const wide = subtracts ? x - y - carry : x + y + carry;
  const low = subtracts ? (x & 15) - (y & 15) - carry : (x & 15) + (y & 15) + carry;
  const result = wide & 0xff;
  const overflow = subtracts ? (x ^ y) & (x ^ result) & 0x80 : ~(x ^ y) & (x ^ result) & 0x80;
  const carries = (wide < 0 || wide > 0xff ? CF : 0) | (low < 0 || low > 15 ? AF : 0) | (overflow ? OF : 0);
  return { result: operation === 'cmp' ? x : result, flags: resultFlags(result) | carries, defined: STATUS };
}

function resultFlags(result: number): number {
  let ones = 0;
  for (let bit = 0; bit < 8; bit++) ones += (result >> bit) & 1;
  return (result === 0 ? ZF : 0) | (result & 0x80 ? SF : 0) | (ones % 2 === 0 ? PF : 0);
}

function program(operation: Operation, rounds: number) {
  return (a: Assembler): void => {
    a.mov(esi, DATA);
    a.mov(edi, RESULTS);
    a.mov(ecx, rounds);
    a.label('round');
    a.mov(al, byte(rsi));
    a.mov(bl, byte(rsi, 1));
    a.stc();
    a[operation](al, bl);
    a.pushf();
    a.pop(rdx);
    a.shl(rdx, 8);
    a.mov(byte(rdi), al);
    a.mov(qword(rdi, 1), rdx);
    a.add(rsi, 2);
    a.add(rdi, 16);
    a.dec(ecx);
    a.jcc('ne', 'round');
    done(a);
  };
}

export const flagCases: readonly ConformanceCase[] = (
  ['add', 'adc', 'sub', 'sbb', 'and', 'cmp'] as const
).map((operation) => ({
  name: `${operation.toUpperCase()} of bytes sets the status flags`,
  run(t) {
    const pairs = OPERANDS.flatMap((x) => OPERANDS.map((y) => [x, y] as const));
    const machine = t.machine({ code: program(operation, pairs.length) });
    machine.memory.write(DATA, Uint8Array.from(pairs.flat()));
    machine.finish();
    for (const [i, [x, y]] of pairs.entries()) {
      const { result, flags, defined } = expected(operation, x, y);
      const name = `${operation} ${x}, ${y}`;
      assert.equal(machine.memory.readU8(RESULTS + i * 16), result, name);
      const actual = Number((machine.memory.readU64(RESULTS + i * 16 + 1) >> 8n) & BigInt(defined));
      assert.equal(actual, flags & defined, `flags of ${name}`);
    }
  },
}));
