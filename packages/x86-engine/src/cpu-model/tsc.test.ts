import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NATIVE_TSC_KHZ, TSC_LAYOUT, Tsc } from './tsc.ts';

class StillClock {
  ns = 123_456_789_012n;

  now(): bigint {
    return this.ns;
  }
}

function counter(khz?: number) {
  const clock = new StillClock();
  const tsc = new Tsc(clock);
  tsc.initialise(khz);
  return { clock, tsc };
}

const frequencies = fc.oneof(
  fc.constantFrom(NATIVE_TSC_KHZ, 1, 2_100_000, 2 ** 32 - 1),
  fc.integer({ min: 1, max: 6_000_000 }),
);
const words = fc.bigInt(0n, 2n ** 64n - 1n);
/** Up to a month: the fastest counter does not wrap. */
const times = fc.bigInt(0n, 2_592_000n * 10n ** 9n);

test('it begins at 0 and counts nanoseconds', () => {
  const { clock, tsc } = counter();
  assert.equal(tsc.value, 0n);
  clock.ns += 5_000n;
  assert.equal(tsc.value, 5_000n);
  assert.equal(tsc.khz, 1_000_000);
});

test('in a time it counts as many ticks as its frequency has, to one tick', () => {
  fc.assert(
    fc.property(frequencies, times, (khz, elapsed) => {
      const { clock, tsc } = counter(khz);
      clock.ns += elapsed;
      const exact = elapsed * BigInt(khz);
      const counted = tsc.value * 1_000_000n;
      assert.ok(counted - exact < 1_000_000n && exact - counted < 1_000_000n, `${counted} for ${exact}`);
    }),
  );
});

test('it never goes backwards, and at a later time it is what it will be then', () => {
  fc.assert(
    fc.property(frequencies, fc.array(fc.bigInt(0n, 1000n)), (khz, steps) => {
      const { clock, tsc } = counter(khz);
      for (const step of steps) {
        const before = tsc.value;
        const then = tsc.at(clock.ns + step);
        clock.ns += step;
        assert.equal(tsc.value, then);
        assert.ok(then >= before);
      }
    }),
  );
});

test('whatever it is set to it goes on from there, modulo 2^64, and TSC_ADJUST stays', () => {
  fc.assert(
    fc.property(frequencies, words, words, (khz, value, adjust) => {
      const { clock, tsc } = counter(khz);
      tsc.value = value;
      tsc.adjust = adjust;
      assert.equal(tsc.value, value);
      assert.equal(tsc.adjust, adjust);
      clock.ns += 1_000_000n; // a whole number of ticks at every frequency
      assert.equal(tsc.value, BigInt.asUintN(64, value + BigInt(khz)));
    }),
  );
});

test('writing the counter moves TSC_ADJUST by as much, and the other way round (§17.17.3)', () => {
  fc.assert(
    fc.property(words, words, words, (start, value, adjust) => {
      const { tsc } = counter();
      tsc.value = start;
      tsc.write(value);
      assert.equal(tsc.value, value);
      assert.equal(tsc.adjust, BigInt.asUintN(64, value - start));
      tsc.writeAdjust(adjust);
      assert.equal(tsc.adjust, adjust);
      assert.equal(
        tsc.value,
        BigInt.asUintN(64, start + adjust),
        'the difference to the start is the adjustment',
      );
    }),
  );
});

test('another frequency goes on from the same value', () => {
  fc.assert(
    fc.property(frequencies, frequencies, words, (from, to, value) => {
      const { clock, tsc } = counter(from);
      tsc.value = value;
      tsc.khz = to;
      assert.equal(tsc.khz, to);
      assert.equal(tsc.value, value);
      clock.ns += 1_000_000_000n;
      assert.equal(tsc.value, BigInt.asUintN(64, value + BigInt(to) * 1000n));
    }),
  );
});

test('a frequency that there is not is refused, and nothing has changed', () => {
  const { tsc } = counter();
  for (const khz of [0, -1, 1.5, Number.NaN, 2 ** 32]) {
    assert.throws(() => {
      tsc.khz = khz;
    }, RangeError);
  }
  assert.equal(tsc.khz, NATIVE_TSC_KHZ);
  assert.equal(tsc.value, 0n);
});

test('counters in one shared array are apart, and another view of one sees the same', () => {
  const clock = new StillClock();
  const shared = new BigInt64Array(new SharedArrayBuffer(8 * 2 * TSC_LAYOUT.words));
  const [first, second, again] = [0, TSC_LAYOUT.words, 0].map((at) => new Tsc(clock, shared, at)) as [
    Tsc,
    Tsc,
    Tsc,
  ];
  first.initialise();
  second.initialise(2_000_000);
  first.write(77n);
  assert.deepEqual([second.value, second.adjust, second.khz], [0n, 0n, 2_000_000]);
  assert.deepEqual([again.value, again.adjust, again.khz], [77n, 77n, 1_000_000]);
});
