import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IntxRouter, intxGsi } from './intx.ts';

test('first pins of neighbours arrive at different inputs, all at 16 to 23', () => {
  assert.equal(new Set([0, 1, 2, 3, 4, 5, 6, 7].map((device) => intxGsi(device, 0))).size, 8);
  for (let device = 0; device < 32; device++) {
    for (let pin = 0; pin < 4; pin++) {
      const gsi = intxGsi(device, pin);
      assert.ok(gsi >= 16 && gsi <= 23);
    }
  }
});

test('a shared input is high while any pin asserts it', () => {
  const levels: [gsi: number, level: boolean][] = [];
  const router = new IntxRouter((gsi, level) => levels.push([gsi, level]));
  const one = router.line(0, 0);
  const other = router.line(8, 0);
  one.set(true);
  one.set(true);
  other.set(true);
  one.set(false);
  other.set(false);
  other.set(false);
  assert.deepEqual(levels, [
    [16, true],
    [16, false],
  ]);
});
