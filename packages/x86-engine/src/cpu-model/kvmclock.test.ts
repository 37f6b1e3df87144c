import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import {
  type ClockMoment,
  PVCLOCK_GUEST_STOPPED,
  PVCLOCK_TSC_STABLE,
  SYSTEM_TIME_BYTES,
  tscScale,
  WALL_CLOCK_BYTES,
  writeSystemTime,
  writeWallClock,
} from './kvmclock.ts';

const U64 = 2n ** 64n;

/** Guest memory with something before and behind, which has to stay. */
function memory(lengthBytes: number, fill = 0) {
  const bytes = new Uint8Array(new SharedArrayBuffer(lengthBytes + 16)).fill(fill);
  return { bytes, view: new DataView(bytes.buffer, 8, lengthBytes) };
}

/** The guest's formula, on what is in its memory. */
function guestNanoseconds(view: DataView, tsc: bigint): bigint {
  const delta = BigInt.asUintN(64, tsc - view.getBigUint64(8, true));
  const shift = view.getInt8(28);
  const shifted = shift < 0 ? delta >> BigInt(-shift) : BigInt.asUintN(64, delta << BigInt(shift));
  const scaled = (shifted * BigInt(view.getUint32(24, true))) >> 32n;
  return BigInt.asUintN(64, view.getBigUint64(16, true) + scaled);
}

const frequencies = fc.oneof(
  fc.constantFrom(1_000_000, 1, 2 ** 32 - 1, 500_000, 2_000_000, 2_899_998),
  fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  fc.integer({ min: 800_000, max: 6_000_000 }),
);
const moments = fc.record({
  nanoseconds: fc.bigInt(0n, 2n ** 62n),
  tsc: fc.bigInt(0n, U64 - 1n),
  tscKhz: frequencies,
});

test('the guest computes the time to a nanosecond in each millisecond, at every frequency', () => {
  const { view } = memory(SYSTEM_TIME_BYTES);
  const elapsed = fc.bigInt(0n, 1_000_000n * 86_400_000n); // a day
  fc.assert(
    fc.property(moments, elapsed, (moment, elapsedNs) => {
      writeSystemTime(view, moment);
      const ticks = (elapsedNs * BigInt(moment.tscKhz)) / 1_000_000n;
      const exactNs = (ticks * 1_000_000n) / BigInt(moment.tscKhz);
      const error =
        guestNanoseconds(view, BigInt.asUintN(64, moment.tsc + ticks)) - moment.nanoseconds - exactNs;
      const allowed = 1n + exactNs / 1_000_000n;
      assert.ok(error <= allowed && -error <= allowed, `${error} ns in ${exactNs}`);
    }),
    { numRuns: 500 },
  );
});

test('the multiplier has 32 bits at every frequency, and its error is half of the last', () => {
  fc.assert(
    fc.property(frequencies, (khz) => {
      const { multiplier, shift } = tscScale(khz);
      assert.ok(multiplier >= 2 ** 31 && multiplier < 2 ** 32, String(multiplier));
      // multiplier · 2^shift · khz = 10^6 · 2^32, both times 2^32.
      const have = BigInt(multiplier) * BigInt(khz) * 2n ** BigInt(32 + shift);
      const error = have - 1_000_000n * 2n ** 64n;
      const bit = BigInt(khz) * 2n ** BigInt(32 + shift);
      assert.ok(2n * (error < 0n ? -error : error) <= bit, `${error} of ${bit}`);
    }),
    { numRuns: 500 },
  );
});

test('at powers of two of a gigahertz the scale is exact', () => {
  assert.deepEqual(tscScale(1_000_000), { multiplier: 2 ** 31, shift: 1 });
  assert.deepEqual(tscScale(500_000), { multiplier: 2 ** 31, shift: 2 });
  assert.deepEqual(tscScale(4_096_000_000), { multiplier: 2 ** 31, shift: -11 });
});

test('at 1 GHz there is no error, in a century', () => {
  const { view } = memory(SYSTEM_TIME_BYTES);
  writeSystemTime(view, { nanoseconds: 7n, tsc: 1000n, tscKhz: 1_000_000 });
  const century = 3_155_760_000n * 10n ** 9n;
  assert.equal(guestNanoseconds(view, 1000n + century + 1n), century + 8n);
});

test('fields are where struct pvclock_vcpu_time_info has them, and nothing else is written', () => {
  const { bytes, view } = memory(SYSTEM_TIME_BYTES, 0xee);
  const moment: ClockMoment = {
    nanoseconds: 0x1122334455667788n,
    tsc: 0xfedcba9876543210n,
    tscKhz: 2_000_000,
  };
  writeSystemTime(view, moment);
  assert.equal(view.getUint32(0, true) & 1, 0);
  assert.equal(view.getBigUint64(8, true), moment.tsc);
  assert.equal(view.getBigUint64(16, true), moment.nanoseconds);
  assert.equal(view.getUint32(24, true), 2 ** 31);
  assert.equal(view.getInt8(28), 0);
  assert.deepEqual(
    [bytes.subarray(0, 8), bytes.subarray(-8)],
    [bytes.slice(0, 8).fill(0xee), bytes.slice(0, 8).fill(0xee)],
  );
});

test('the version goes on by two from an even one, and gets even from an odd one', () => {
  const { view } = memory(SYSTEM_TIME_BYTES);
  const moment: ClockMoment = { nanoseconds: 0n, tsc: 0n, tscKhz: 1_000_000 };
  for (const [before, after] of [
    [0, 2],
    [2, 4],
    [5, 8],
    [0xfffffffe, 0],
  ] as const) {
    view.setUint32(0, before, true);
    writeSystemTime(view, moment);
    assert.equal(view.getUint32(0, true), after);
  }
});

test('the counter is stable; that the guest was stopped stays until it has seen it', () => {
  const { view } = memory(SYSTEM_TIME_BYTES, 0xfd); // every flag but GUEST_STOPPED
  const moment: ClockMoment = { nanoseconds: 0n, tsc: 0n, tscKhz: 1_000_000 };
  const flags = () => view.getUint8(29);
  writeSystemTime(view, moment);
  assert.equal(flags(), PVCLOCK_TSC_STABLE);
  writeSystemTime(view, moment, true);
  writeSystemTime(view, moment);
  assert.equal(flags(), PVCLOCK_TSC_STABLE | PVCLOCK_GUEST_STOPPED);
  view.setUint8(29, PVCLOCK_TSC_STABLE);
  writeSystemTime(view, moment);
  assert.equal(flags(), PVCLOCK_TSC_STABLE);
});

test('wall clock and kvmclock together are the time of day', () => {
  const { bytes, view } = memory(WALL_CLOCK_BYTES, 0xee);
  fc.assert(
    fc.property(
      fc.bigInt(0n, 2n ** 32n * 10n ** 9n - 1n),
      fc.bigInt(0n, 2n ** 62n),
      (atStart, nanoseconds) => {
        writeWallClock(view, atStart + nanoseconds, nanoseconds);
        assert.equal(view.getUint32(0, true) & 1, 0);
        const nsec = view.getUint32(8, true);
        assert.ok(nsec < 1_000_000_000);
        assert.equal(BigInt(view.getUint32(4, true)) * 10n ** 9n + BigInt(nsec), atStart);
      },
    ),
  );
  writeWallClock(view, 5n, 6n);
  assert.deepEqual([view.getUint32(4, true), view.getUint32(8, true)], [0, 0]);
  assert.deepEqual(bytes.subarray(-8), bytes.slice(0, 8));
});

test('memory that is too short for the structure is refused', () => {
  const moment: ClockMoment = { nanoseconds: 0n, tsc: 0n, tscKhz: 1_000_000 };
  assert.throws(() => writeSystemTime(memory(28).view, moment), RangeError);
  assert.throws(() => writeWallClock(memory(8).view, 0n, 0n), RangeError);
});

/** Writes moments in which the counter's and the clock's halves are all the same number. */
const WRITER = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.module).then(({ writeSystemTime }) => {
    const view = new DataView(workerData.buffer, 64, 32);
    for (let i = 1n; ; i = (i + 1n) & 0x7fffffffn) {
      if (i === 2n) parentPort.postMessage('begun');
      const value = (i << 32n) | i;
      writeSystemTime(view, { nanoseconds: value, tsc: value, tscKhz: 1_000_000 });
    }
  });
`;

test('what another thread reads by the version’s protocol is of one update', async () => {
  const buffer = new SharedArrayBuffer(128);
  const module = new URL('kvmclock.ts', import.meta.url).href;
  const worker = new Worker(WRITER, { eval: true, workerData: { buffer, module } });
  try {
    await once(worker, 'message');
    readUpdates(new Int32Array(buffer, 64, 8), 1000);
  } finally {
    await worker.terminate();
  }
});

function readUpdates(words: Int32Array, count: number): void {
  const versions = new Set<number>();
  for (let reads = 0; versions.size < count; reads++) {
    assert.ok(reads < 50_000_000, 'the writer goes on');
    const version = Atomics.load(words, 0);
    const halves = [2, 3, 4, 5].map((at) => Atomics.load(words, at));
    if ((version & 1) === 1 || Atomics.load(words, 0) !== version) continue;
    assert.equal(new Set(halves).size, 1, `${halves} at version ${version}`);
    versions.add(version);
  }
}
