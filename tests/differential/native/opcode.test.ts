import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fpuUse, fpuUseOfBlock, loadsFlags, mayBranch, mayTrap, needsBreakpoint } from './opcode.ts';

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

test('what a single step would falsify is run to a breakpoint', () => {
  for (const hex of [
    '9c',
    '66 9c',
    '48 9c',
    '8e d0',
    '66 8e 10',
    '0f b2 08',
    'f3 a4',
    '66 f3 48 a5',
    'f2 ae',
    'f3 aa',
  ])
    assert.ok(needsBreakpoint(bytes(hex), 64), hex);
  for (const hex of [
    '9d',
    'a4',
    '8e d8',
    '8c d0',
    'f3 90',
    'f3 0f 10 c0',
    '48 01 d8',
    'b8 9c 00 00 00',
    '0f 0b',
    '',
  ])
    assert.ok(!needsBreakpoint(bytes(hex), 64), hex);
});

test('POP SS, and what looks like REX, are 32-bit code', () => {
  assert.ok(needsBreakpoint(bytes('17'), 32));
  assert.ok(!needsBreakpoint(bytes('17'), 64));
  assert.ok(needsBreakpoint(bytes('48 9c'), 64));
  assert.ok(!needsBreakpoint(bytes('48 9c'), 32)); // DEC EAX
});

test('x87, SSE and AVX are told from integer instructions by the opcode', () => {
  for (const hex of ['48 01 d8', '0f 44 c1', '0f af c1', '48 0f c8', 'b0 62', '90', '8f c0'])
    assert.equal(fpuUse(bytes(hex), 64), 'none', hex);
  for (const hex of ['d9 e8', '9b', '0f 58 c1', 'f2 0f 10 00', '66 48 0f 6e c0', '0f 38 00 c1', '0f 77'])
    assert.equal(fpuUse(bytes(hex), 64), 'legacy', hex);
  for (const hex of ['c5 f8 77', 'c4 e2 7d 18 00', '62 f1 7c 48 58 c1', '0f ae 00', '0f 01 ef', '0f c7 20'])
    assert.equal(fpuUse(bytes(hex), 64), 'extended', hex);
});

test('any byte of a block may be an opcode', () => {
  assert.equal(fpuUseOfBlock(bytes('90 40 01 c8')), 'none');
  assert.equal(fpuUseOfBlock(bytes('90 d9 e8')), 'legacy');
  assert.equal(fpuUseOfBlock(bytes('d9 e8 c5 f8 77')), 'extended');
});

test('what may end in a trap of its own', () => {
  for (const hex of ['cc', 'f1', 'cd 03', 'f3 cc']) assert.ok(mayTrap(bytes(hex), 64), hex);
  for (const hex of ['48 01 cc', 'b8 cc cc cc cc']) assert.ok(!mayTrap(bytes(hex), 64), hex);
});

test('what loads RFLAGS whole', () => {
  for (const hex of ['9d', '66 9d', '48 cf']) assert.ok(loadsFlags(bytes(hex), 64), hex);
  for (const hex of ['9e', '9c', 'b8 9d 00 00 00']) assert.ok(!loadsFlags(bytes(hex), 64), hex);
});

test('conditional jumps of all kinds', () => {
  for (const hex of ['74 fe', '0f 85 00 00 00 00', 'e2 fe', '67 e3 00', '2e 70 00'])
    assert.ok(mayBranch(bytes(hex), 64), hex);
  for (const hex of ['0f 94 c0', '0f 44 c0', '90', 'e4 00']) assert.ok(!mayBranch(bytes(hex), 64), hex);
});
