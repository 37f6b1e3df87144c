import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bitmapSizeBytes, DirtyLog, dirtyPages, PAGE_SIZE_BYTES } from './dirty-log.ts';

const PAGE = PAGE_SIZE_BYTES;

/** A log of up to 200 pages, and where it starts. */
const LOG = fc.record({
  gpa: fc.nat(2 ** 24).map((page) => page * PAGE),
  pages: fc.integer({ min: 1, max: 200 }),
});

/** Offsets relative to the log's start, before, in and after it; lengths from nothing to more than all of it. */
const RANGES = fc.array(
  fc.record({
    offset: fc.integer({ min: -300 * PAGE, max: 300 * PAGE }),
    lengthBytes: fc.oneof(fc.nat(16), fc.nat(5 * PAGE), fc.nat(600 * PAGE)),
  }),
  { maxLength: 12 },
);

/** The pages that a byte-by-byte reading of the ranges touches. */
function touched(gpa: number, pages: number, ranges: readonly { offset: number; lengthBytes: number }[]) {
  const all = Array.from({ length: pages }, (_, page) => page * PAGE);
  return all
    .filter((start) =>
      ranges.some(
        ({ offset, lengthBytes }) =>
          lengthBytes > 0 && offset < start + PAGE && offset + lengthBytes > start && gpa + offset >= 0,
      ),
    )
    .map((start) => gpa + start);
}

describe('dirty log', () => {
  test('marks exactly the pages that the ranges touch, and gives them once', () => {
    fc.assert(
      fc.property(LOG, RANGES, ({ gpa, pages }, ranges) => {
        const log = new DirtyLog(gpa, pages * PAGE);
        const inside = ranges.filter(({ offset }) => gpa + offset >= 0);
        for (const { offset, lengthBytes } of inside) log.mark(gpa + offset, lengthBytes);
        assert.deepEqual(log.take(), touched(gpa, pages, inside));
        assert.deepEqual(log.take(), []);
      }),
    );
  });

  test("adds an accelerator's log of a slot inside it", () => {
    fc.assert(
      fc.property(LOG, fc.nat(24), fc.uint8Array({ maxLength: 40 }), ({ gpa, pages }, eighths, bitmap) => {
        const log = new DirtyLog(gpa, pages * PAGE);
        log.mark(gpa, 1);
        log.merge(gpa + eighths * 8 * PAGE, bitmap);
        const expected = new Set([0, ...dirtyPages(bitmap).map((page) => eighths * 8 + page)]);
        const inside = [...expected].filter((page) => page < pages).sort((a, b) => a - b);
        assert.deepEqual(
          log.take(),
          inside.map((page) => gpa + page * PAGE),
        );
      }),
    );
  });

  test('a page of the merged log that lies behind the end is not reported', () => {
    const log = new DirtyLog(0, 3 * PAGE);
    log.merge(0, new Uint8Array(8).fill(0xff));
    assert.deepEqual(log.take(), [0, PAGE, 2 * PAGE]);
  });

  test('refuses parts of pages, and logs that are not aligned to eight pages or start before it', () => {
    assert.throws(() => new DirtyLog(1, PAGE), RangeError);
    assert.throws(() => new DirtyLog(0, PAGE + 1), RangeError);
    const log = new DirtyLog(16 * PAGE, 64 * PAGE);
    for (const page of [0, 8, 17, 23]) {
      assert.throws(() => log.merge(page * PAGE, new Uint8Array(8)), RangeError, `page ${page}`);
    }
  });

  test('works above 4 GiB, where page numbers and addresses pass 32 bits', () => {
    const gpa = 2 ** 45;
    const log = new DirtyLog(gpa, 2 ** 32);
    log.mark(gpa + 2 ** 32 - 1, 1);
    assert.deepEqual(log.take(), [gpa + 2 ** 32 - PAGE]);
  });
});

describe('bitmaps', () => {
  test('have one bit a page, in whole 64-bit words, as KVM_GET_DIRTY_LOG has them', () => {
    for (const [pages, bytes] of [
      [1, 8],
      [64, 8],
      [65, 16],
      [128, 16],
      [2 ** 28, 2 ** 25], // 1 TiB
    ]) {
      assert.equal(bitmapSizeBytes(pages! * PAGE), bytes);
    }
  });

  test('list the set bits in order', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bitmap) => {
        const bits = Array.from({ length: bitmap.length * 8 }, (_, i) => i);
        assert.deepEqual(
          dirtyPages(bitmap),
          bits.filter((i) => (bitmap[i >> 3]! >> (i & 7)) & 1),
        );
      }),
    );
  });
});
