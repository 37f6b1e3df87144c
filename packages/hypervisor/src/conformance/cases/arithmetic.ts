/** Integer arithmetic of 64 bits and more, compared with the same in BigInt (Intel SDM Vol. 1 §7.3 "Summary of GP Instructions"). */
import assert from 'node:assert/strict';
import { type Assembler, cl, ecx, edi, esi, qword, r8, r11, rax, rdi, rdx, rsi } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done } from '../guest-code.ts';
import { DATA } from '../guest-layout.ts';
import type { Machine } from '../machine.ts';
import { randomWords } from './random.ts';

const U64 = (1n << 64n) - 1n;

const u64 = (value: bigint) => BigInt.asUintN(64, value);

const i64 = (value: bigint) => BigInt.asIntN(64, value);

/** Reads operands at RSI and writes results at RDI, `rounds` times. */
function tableProgram(
  operandWords: number,
  resultWords: number,
  rounds: number,
  body: (a: Assembler) => void,
) {
  return (a: Assembler): void => {
    a.mov(rsi, DATA);
    a.mov(rdi, DATA + 0x8000);
    a.mov(r11, rounds);
    a.label('round');
    body(a);
    a.add(rsi, operandWords * 8);
    a.add(rdi, resultWords * 8);
    a.dec(r11);
    a.jcc('ne', 'round');
    done(a);
  };
}

function results(machine: Machine, count: number): bigint[] {
  return Array.from({ length: count }, (_, i) => machine.memory.readU64(DATA + 0x8000 + i * 8));
}

function writeWords(machine: Machine, words: readonly bigint[]): void {
  for (const [i, word] of words.entries()) machine.memory.writeU64(DATA + i * 8, word);
}

const multiply: ConformanceCase = {
  name: 'MUL and IMUL of 64 bits give all 128 bits',
  run(t) {
    const rounds = 100;
    const words = randomWords(1, 2 * rounds);
    const machine = t.machine({
      code: tableProgram(2, 4, rounds, (a) => {
        a.mov(rax, qword(rsi));
        a.mul(qword(rsi, 8));
        a.mov(qword(rdi), rax);
        a.mov(qword(rdi, 8), rdx);
        a.mov(rax, qword(rsi));
        a.imul(qword(rsi, 8));
        a.mov(qword(rdi, 16), rax);
        a.mov(qword(rdi, 24), rdx);
      }),
    });
    writeWords(machine, words);
    machine.finish();
    const expected = pairs(words).flatMap(([x, y]) => {
      const unsigned = x * y;
      const signed = i64(x) * i64(y);
      return [unsigned & U64, unsigned >> 64n, u64(signed), u64(signed >> 64n)];
    });
    assert.deepEqual(results(machine, 4 * rounds), expected);
  },
};

const divide: ConformanceCase = {
  name: 'DIV and IDIV of 128 by 64 bits give quotient and remainder',
  run(t) {
    const rounds = 100;
    // High half below the divisor, and small enough for a signed quotient.
    const words = randomWords(2, 3 * rounds).map((word, i) =>
      i % 3 === 1 ? word >> 3n : word | (1n << 62n),
    );
    const machine = t.machine({
      code: tableProgram(3, 4, rounds, (a) => {
        a.mov(rax, qword(rsi));
        a.mov(rdx, qword(rsi, 8));
        a.shr(rdx, 4);
        a.div(qword(rsi, 16));
        a.mov(qword(rdi), rax);
        a.mov(qword(rdi, 8), rdx);
        a.mov(rax, qword(rsi));
        a.convertDA(64);
        a.idiv(qword(rsi, 16));
        a.mov(qword(rdi, 16), rax);
        a.mov(qword(rdi, 24), rdx);
      }),
    });
    writeWords(machine, words);
    machine.finish();
    const expected: bigint[] = [];
    for (let i = 0; i < words.length; i += 3) {
      const [low, high, divisor] = words.slice(i, i + 3) as [bigint, bigint, bigint];
      const dividend = ((high >> 4n) << 64n) | low;
      expected.push(dividend / divisor, dividend % divisor);
      expected.push(u64(i64(low) / i64(divisor)), u64(i64(low) % i64(divisor)));
    }
    assert.deepEqual(results(machine, 4 * rounds), expected);
  },
};

const shifts: ConformanceCase = {
  name: 'shifts and rotates by every count',
  run(t) {
    const value = 0x8123456789abcdefn;
    const machine = t.machine({
      code(a) {
        a.mov(ecx, 0);
        a.mov(edi, DATA + 0x8000);
        a.mov(r8, value);
        a.label('count');
        for (const [i, name] of (['shl', 'shr', 'sar', 'rol', 'ror'] as const).entries()) {
          a.mov(rax, r8);
          a[name](rax, cl);
          a.mov(qword(rdi, i * 8), rax);
        }
        a.add(rdi, 40);
        a.inc(ecx);
        a.cmp(ecx, 64);
        a.jcc('ne', 'count');
        done(a);
      },
    });
    machine.finish();
    const expected = Array.from({ length: 64 }, (_, i) => BigInt(i)).flatMap((n) => [
      u64(value << n),
      value >> n,
      u64(i64(value) >> n),
      u64((value << n) | (value >> (64n - n))),
      u64((value >> n) | (value << (64n - n))),
    ]);
    assert.deepEqual(results(machine, 5 * 64), expected);
  },
};

const carries: ConformanceCase = {
  name: 'ADC and SBB chains carry through 256 bits',
  run(t) {
    const words = randomWords(3, 8);
    words[1] = words[5]! ^ U64; // a carry that goes through a whole word
    const machine = t.machine({
      code(a) {
        a.mov(esi, DATA);
        a.mov(edi, DATA + 0x8000);
        for (const [name, first] of [
          ['adc', 'add'],
          ['sbb', 'sub'],
        ] as const) {
          for (let i = 0; i < 4; i++) {
            a.mov(rax, qword(rsi, i * 8));
            a[i === 0 ? first : name](rax, qword(rsi, 32 + i * 8));
            a.mov(qword(rdi, i * 8), rax);
          }
          a.lea(rdi, qword(rdi, 32));
        }
        done(a);
      },
    });
    writeWords(machine, words);
    machine.finish();
    const wide = (from: number) =>
      words.slice(from, from + 4).reduceRight((sum, word) => (sum << 64n) | word, 0n);
    const split = (value: bigint) => [0n, 64n, 128n, 192n].map((shift) => u64(value >> shift));
    const [x, y] = [wide(0), wide(4)];
    assert.deepEqual(results(machine, 8), [...split(x + y), ...split(x - y)]);
  },
};

function pairs(words: readonly bigint[]): [bigint, bigint][] {
  return Array.from({ length: words.length / 2 }, (_, i) => [words[2 * i]!, words[2 * i + 1]!]);
}

export const arithmeticCases: readonly ConformanceCase[] = [multiply, divide, shifts, carries];
