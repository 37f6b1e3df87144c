/** Intel SDM Vol. 2A chapter 2 "Instruction Format", and Table 2-1 to 2-3 of §2.1.5 "Addressing-Mode Encoding of ModR/M and SIB Bytes". */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MemoryForm } from './address-form.ts';
import { type Decoded, decode, type ModeBits } from './decode.ts';
import { randomCode } from './testing/random-code.ts';

const MODES: readonly ModeBits[] = [16, 32, 64];
const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

function decoded(hex: string, modeBits: ModeBits = 64): Decoded {
  const found = decode(bytesOf(hex), modeBits);
  if (typeof found === 'string') assert.fail(`${hex} is ${found}`);
  return found;
}

function form(hex: string, modeBits: ModeBits = 64): Partial<MemoryForm> {
  const { modrm } = decoded(hex, modeBits);
  assert(typeof modrm?.rm === 'object');
  return modrm.rm;
}

test('random bytes are an instruction of 1 to 15 bytes, which no fewer bytes are, or none', () => {
  for (const code of randomCode(0x5eed, 30_000)) {
    for (const modeBits of MODES) {
      const found = decode(code, modeBits);
      if (typeof found === 'string') continue;
      const { lengthBytes } = found;
      assert(lengthBytes >= 1 && lengthBytes <= 15);
      assert.deepEqual(decode(code.subarray(0, lengthBytes), modeBits), found);
      assert.equal(decode(code.subarray(0, lengthBytes - 1), modeBits), 'truncated');
    }
  }
});

test('what was decoded before makes no difference', () => {
  const all = [...randomCode(7, 3_000)];
  const decodeAll = () => all.map((code) => MODES.map((modeBits) => decode(code, modeBits)));
  const forwards = decodeAll();
  all.reverse();
  assert.deepEqual(decodeAll().reverse(), forwards);
});

test('an instruction may start anywhere in the bytes', () => {
  const found = decode(bytesOf('90 90 48 01 d8 90'), 64, 2);
  assert(typeof found === 'object');
  assert.deepEqual([found.instruction.mnemonic, found.lengthBytes], ['ADD', 3]);
  assert.equal(decode(bytesOf('90'), 64, 1), 'truncated');
});

test('what does not end within 15 bytes is too long', () => {
  assert.equal(decode(new Uint8Array(20).fill(0x66), 64), 'too-long');
  assert.equal(decoded(`${'66'.repeat(11)} 01 44 00 00`).lengthBytes, 15);
  assert.equal(decode(bytesOf(`${'66'.repeat(12)} 01 44 00 00`), 64), 'too-long');
  assert.equal(decode(new Uint8Array(14).fill(0x66), 64), 'truncated');
});

test('the last prefix of a group counts, and REX right before the opcode only', () => {
  assert.equal(decoded('f2 f3 a4').repeat, 'rep');
  assert.equal(decoded('64 65 8b 00').segment, 5);
  assert.equal(decoded('64 2e 8b 00').segment, 4); // CS is ignored in 64-bit mode,
  assert.equal(decoded('64 2e 8b 00', 32).segment, 1); // and is not in others.
  assert.equal(decoded('48 66 01 d8').operandBits, 16);
  assert.equal(decoded('66 48 01 d8').operandBits, 64);
});

test('operand sizes: prefix, REX.W, and instructions that have a size of their own', () => {
  const sizes = (hex: string) => MODES.map((modeBits) => decoded(hex, modeBits).operandBits);
  assert.deepEqual(sizes('01 d8'), [16, 32, 32]);
  assert.deepEqual(sizes('66 01 d8'), [32, 16, 16]);
  assert.deepEqual(sizes('50'), [16, 32, 64]);
  assert.deepEqual(sizes('66 50'), [32, 16, 16]);
  assert.equal(decoded('66 e8 00 00 00 00').operandBits, 64);
});

test('a mandatory prefix tells instructions apart, and does not repeat', () => {
  const names = ['0f 10 c1', '66 0f 10 c1', 'f3 0f 10 c1', 'f2 0f 10 c1', '66 f2 0f 10 c1'];
  assert.deepEqual(
    names.map((hex) => decoded(hex).instruction.mnemonic),
    ['MOVUPS', 'MOVUPD', 'MOVSS', 'MOVSD', 'MOVSD'],
  );
  assert.equal(decoded('f3 0f 10 c1').repeat, undefined);
});

test('LOCK is for a destination in memory', () => {
  assert.equal(decoded('f0 01 03').lock, true);
  assert.equal(decode(bytesOf('f0 01 c3'), 64), 'invalid');
  assert.equal(decode(bytesOf('f0 8b 03'), 64), 'invalid');
});

test('immediates are sign-extended; one of 64 bits is a bigint', () => {
  assert.equal(decoded('83 c0 ff').immediate, -1);
  assert.equal(decoded('66 05 00 80').immediate, -0x8000);
  assert.equal(decoded('05 ff ff ff 7f').immediate, 0x7fffffff);
  assert.equal(decoded('05 00 00 00 80').immediate, -0x80000000);
  assert.equal(decoded('48 b8 ff ff ff ff 00 00 00 00').immediate, 0xffffffffn);
  assert.equal(decoded('48 b8 00 00 00 00 00 00 00 80').immediate, -0x8000_0000_0000_0000n);
  assert.equal(decoded('a1 01 02 03 04 05 06 07 f8').immediate, -0x7f8f9fafbfcfdffn);
  assert.equal(decoded('67 a1 01 02 03 04').immediate, 0x04030201);
  assert.equal(decoded('01 d8').immediate, undefined);
});

test('addresses of 64 and 32 bits: no base, no index, RIP, and what REX adds', () => {
  const plain = { base: undefined, index: undefined, scale: 0, displacement: 0, ripRelative: false };
  assert.deepEqual(form('8b 03'), { ...plain, base: 3 });
  assert.deepEqual(form('41 8b 45 80'), { ...plain, base: 13, displacement: -128 });
  assert.deepEqual(form('8b 05 00 00 00 80'), { ...plain, displacement: -0x80000000, ripRelative: true });
  assert.deepEqual(form('8b 05 00 00 00 80', 32), { ...plain, displacement: -0x80000000 });
  assert.deepEqual(form('8b 04 24'), { ...plain, base: 4 });
  assert.deepEqual(form('42 8b 04 e4'), { ...plain, base: 4, index: 12, scale: 3 });
  assert.deepEqual(form('8b 04 65 78 56 34 12'), { ...plain, scale: 1, displacement: 0x12345678 });
});

test('addresses of 16 bits', () => {
  const plain = { base: undefined, index: undefined, scale: 0, displacement: 0, ripRelative: false };
  assert.deepEqual(form('8b 00', 16), { ...plain, base: 3, index: 6 });
  assert.deepEqual(form('8b 46 ff', 16), { ...plain, base: 5, displacement: -1 });
  assert.deepEqual(form('8b 06 34 12', 16), { ...plain, displacement: 0x1234 });
  assert.deepEqual(form('67 8b 87 00 80', 32), { ...plain, base: 3, displacement: -0x8000 });
});
