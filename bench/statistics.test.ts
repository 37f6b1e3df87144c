import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ratio, spread } from './statistics.ts';

test('the median of an odd and of an even number of samples, whatever their order', () => {
  assert.deepEqual(spread([9, 10, 1]), { median: 9, min: 1, max: 10 });
  assert.deepEqual(spread([4, 100, 2, 1]), { median: 3, min: 1, max: 100 });
  assert.deepEqual(spread([7]), { median: 7, min: 7, max: 7 });
});

test('no samples have no median', () => {
  assert.throws(() => spread([]), RangeError);
});

test('the samples stay as they were', () => {
  const samples = Object.freeze([3, 1, 2]);
  spread(samples);
  assert.deepEqual(samples, [3, 1, 2]);
});

test('ratios of pairs do not see what slows a whole round down', () => {
  const result = ratio([10, 100, 1000], [20, 200, 2000]);
  assert.deepEqual(result, { ofMedians: 0.5, perPair: { median: 0.5, min: 0.5, max: 0.5 } });
});

test('the ratio of the medians and the median of the ratios may differ', () => {
  const result = ratio([1, 4, 9], [1, 2, 10]);
  assert.equal(result.ofMedians, 2);
  assert.deepEqual(result.perPair, { median: 1, min: 0.9, max: 2 });
});

test('samples without a partner are refused', () => {
  assert.throws(() => ratio([1, 2], [1]), RangeError);
});

test('a median lies within the range, and half of the samples on either side', () => {
  const samples = fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(samples, (values) => {
      const { median, min, max } = spread(values);
      assert.ok(min <= median && median <= max);
      assert.ok(values.filter((value) => value <= median).length * 2 >= values.length);
      assert.ok(values.filter((value) => value >= median).length * 2 >= values.length);
    }),
  );
});
