import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as aml from './aml.ts';
import { ascii } from './bytes.ts';

const hex = (bytes: aml.Aml) => Buffer.from(bytes).toString('hex');

test('§20.2.2: names', () => {
  assert.equal(hex(aml.namePath('_CRS')), hex(ascii('_CRS')));
  assert.equal(hex(aml.namePath('RTC')), hex(ascii('RTC_')));
  assert.equal(hex(aml.namePath('\\')), `${hex(ascii('\\'))}00`);
  assert.equal(hex(aml.namePath('\\_SB')), hex(ascii('\\_SB_')));
  assert.equal(hex(aml.namePath('^^PCI0')), hex(ascii('^^PCI0')));
  assert.equal(hex(aml.namePath('\\_SB.PCI0')), `5c2e${hex(ascii('_SB_PCI0'))}`);
  assert.equal(hex(aml.namePath('A.B.C')), `2f03${hex(ascii('A___B___C___'))}`);
  for (const path of ['pci0', 'TOOLONG', '0ABC', 'A..B', 'A B']) {
    assert.throws(() => aml.namePath(path), RangeError, path);
  }
});

test('§20.2.3: integers take the shortest form', () => {
  const encodings: [value: number, bytes: string][] = [
    [0, '00'],
    [1, '01'],
    [2, '0a02'],
    [0xff, '0aff'],
    [0x100, '0b0001'],
    [0xffff, '0bffff'],
    [0x10000, '0c00000100'],
    [0xffff_ffff, '0cffffffff'],
    [0x1_0000_0000, '0e0000000001000000'],
  ];
  for (const [value, bytes] of encodings) assert.equal(hex(aml.integer(value)), bytes);
  for (const value of [-1, 0.5, 2 ** 53]) assert.throws(() => aml.integer(value), RangeError);
});

test('§19.6.36 and §19.6.142: EISA ids and UUIDs', () => {
  assert.equal(hex(aml.eisaId('PNP0A08')), '0c41d00a08');
  assert.equal(hex(aml.eisaId('PNP0501')), '0c41d00501');
  assert.equal(
    hex(aml.uuid('33DB4D5B-1FF7-401C-9657-7441C03DD766')),
    '11130a105b4ddb33f71f1c4096577441c03dd766',
  );
  assert.throws(() => aml.eisaId('PNP0A8'), RangeError);
  assert.throws(() => aml.uuid('33DB4D5B'), RangeError);
});

/** Reads a package length as §20.2.4 has it: its value, and how many bytes it takes. */
function packageLength(bytes: aml.Aml): { value: number; sizeBytes: number } {
  const lead = bytes[0]!;
  const extraBytes = lead >> 6;
  if (extraBytes === 0) return { value: lead, sizeBytes: 1 };
  let value = lead & 0x0f;
  for (let i = 0; i < extraBytes; i++) value += bytes[1 + i]! * 2 ** (4 + 8 * i);
  return { value, sizeBytes: 1 + extraBytes };
}

test('§20.2.4, property: a package length covers itself and the rest', () => {
  const length = fc.oneof(fc.constantFrom(0, 61, 62, 63, 64, 4089, 4090, 4091, 4092, 4096), fc.nat(80_000));
  fc.assert(
    fc.property(length, (payload) => {
      const encoded = aml.elseThen(new Array<number>(payload).fill(0x5a));
      const { value, sizeBytes } = packageLength(encoded.slice(1));
      assert.equal(value, encoded.length - 1);
      assert.equal(encoded.length, 1 + sizeBytes + payload);
    }),
    { numRuns: 50 },
  );
});

test('a package has at most 255 elements', () => {
  assert.equal(aml.packageOf(...new Array(255).fill(aml.integer(0)))[3], 255);
  assert.throws(() => aml.packageOf(...new Array(256).fill(aml.integer(0))), RangeError);
});
