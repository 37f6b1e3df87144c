import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { covers, highestFit, type MemoryMapEntry, ramRanges, subtract } from './memory-map.ts';

test('RAM is joined where entries touch, and cut where others claim it', () => {
  const map: MemoryMapEntry[] = [
    { gpa: 0x3000, sizeBytes: 0x1000, kind: 'ram' },
    { gpa: 0x1000, sizeBytes: 0x2000, kind: 'ram' },
    { gpa: 0x1800, sizeBytes: 0x100, kind: 'acpi' },
  ];
  assert.deepEqual(ramRanges(map), [
    { start: 0x1000, end: 0x1800 },
    { start: 0x1900, end: 0x4000 },
  ]);
});

test('the highest fit is aligned, below the limit, and absent when nothing fits', () => {
  const ranges = [
    { start: 0, end: 0x8000 },
    { start: 0x10000, end: 0x11800 },
  ];
  assert.equal(highestFit(ranges, 0x1000, 0x1000, 2 ** 32), 0x10000);
  assert.equal(highestFit(ranges, 0x1000, 0x1000, 0x10800), 0x7000);
  assert.equal(highestFit(ranges, 0x9000, 0x1000, 2 ** 32), undefined);
});

const ranges = fc
  .array(fc.tuple(fc.nat(200), fc.integer({ min: 1, max: 60 })), { maxLength: 8 })
  .map((list) => list.map(([start, length]) => ({ start, end: start + length })));

test('subtraction removes exactly what the holes cover', () => {
  fc.assert(
    fc.property(ranges, ranges, (some, holes) => {
      const rest = subtract(some, holes);
      for (let at = 0; at < 270; at++) {
        const point = { start: at, end: at + 1 };
        assert.equal(covers(rest, point), covers(some, point) && !covers(holes, point));
      }
    }),
  );
});
