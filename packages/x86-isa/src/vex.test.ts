/** Intel SDM Vol. 2A §2.3 "Intel Advanced Vector Extensions (Intel AVX)": the VEX prefix. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Decoded, decode, type ModeBits } from './decode.ts';

/** ANDN EAX, EDX, EBX. */
const ANDN = 'c4 e2 68 f2 c3';

function decodeHex(hex: string, modeBits: ModeBits = 64) {
  return decode(Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex')), modeBits);
}

function decoded(hex: string, modeBits: ModeBits = 64): Decoded {
  const found = decodeHex(hex, modeBits);
  if (typeof found === 'string') assert.fail(`${hex} is ${found}`);
  return found;
}

test('three bytes: opcode map, prefix, W, vvvv and the extensions of ModRM', () => {
  const { instruction, operandBits, vex, modrm, lengthBytes } = decoded(ANDN);
  assert.equal(instruction.mnemonic, 'ANDN');
  assert.deepEqual([operandBits, vex?.vvvv, modrm?.reg, modrm?.rm, lengthBytes], [32, 2, 0, 3, 5]);
  const all = decoded('c4 42 80 f2 c3'); // ANDN R8, R15, R11
  assert.deepEqual([all.operandBits, all.vex?.vvvv, all.modrm?.reg, all.modrm?.rm], [64, 15, 8, 11]);
  const indexed = decoded('c4 a2 68 f2 04 23'); // ANDN EAX, EDX, [RBX + R12]
  assert.deepEqual(indexed.modrm?.rm, { base: 3, index: 12, scale: 0, displacement: 0, ripRelative: false });
});

test('the prefix that it stands for tells instructions apart', () => {
  const names = ['c4 e2 70 f7 c3', 'c4 e2 71 f7 c3', 'c4 e2 72 f7 c3', 'c4 e2 73 f7 c3'];
  assert.deepEqual(
    names.map((hex) => decoded(hex).instruction.mnemonic),
    ['BEXTR', 'SHLX', 'SARX', 'SHRX'],
  );
});

test('no instruction: other prefixes, REX, a map or L that there is not, vvvv where nothing uses it', () => {
  for (const prefix of ['66', 'f2', 'f3', 'f0', '48'])
    assert.equal(decodeHex(`${prefix} ${ANDN}`), 'invalid');
  assert.equal(decodeHex('c4 e0 68 f2 c3'), 'invalid'); // map 0
  assert.equal(decodeHex('c4 e4 68 f2 c3'), 'invalid'); // map 4
  assert.equal(decodeHex('c4 e2 6c f2 c3'), 'invalid'); // L
  assert.equal(decoded('c4 e3 7b f0 c3 05').instruction.mnemonic, 'RORX');
  assert.equal(decodeHex('c4 e3 73 f0 c3 05'), 'invalid');
});

test('prefixes that it leaves alone: address size and segments', () => {
  const { addressBits, segment } = decoded('64 67 c4 e2 68 f2 03');
  assert.deepEqual([addressBits, segment], [32, 4]);
});

test('outside 64-bit mode, W is not looked at, nor is the highest bit of vvvv', () => {
  assert.equal(decoded('c4 e2 e8 f2 c3', 32).operandBits, 32);
  assert.equal(decoded('c4 e2 28 f2 c3', 32).vex?.vvvv, 2);
});

test('outside 64-bit mode, with an operand in memory, it is LDS or LES', () => {
  for (const hex of ['c4 03 00 00 00 00', 'c5 03 00 00 00 00']) {
    const found = decodeHex(hex, 32);
    assert(found === 'invalid' || (typeof found === 'object' && found.vex === undefined), hex);
  }
});

test('of what is cut off, more is asked for', () => {
  for (let length = 1; length < 5; length++) assert.equal(decodeHex(ANDN.slice(0, 3 * length)), 'truncated');
});
