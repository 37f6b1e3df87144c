import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatSize, parseSize } from './size.ts';

describe('parseSize', () => {
  for (const [text, bytes] of [
    ['512M', 512 * 2 ** 20],
    ['2G', 2 * 2 ** 30],
    ['1GiB', 2 ** 30],
    ['1.5g', 1.5 * 2 ** 30],
    ['262144K', 2 ** 28],
    ['1T', 2 ** 40],
    [' 64m ', 2 ** 26],
  ] as const)
    test(`${JSON.stringify(text)} is ${bytes} bytes`, () => assert.equal(parseSize('--memory', text), bytes));

  for (const text of [
    '',
    '512',
    'M',
    '-1M',
    '1e3M',
    '512MB',
    '0x10M',
    '5 12M',
    '∞G',
    '٣M',
    '1..5G',
    'NaNM',
    '0M',
  ])
    test(`${JSON.stringify(text)} is refused, and the message says how to write one`, () => {
      assert.throws(() => parseSize('--memory', text), { name: 'UserError', code: 'bad-size', fix: /512M/ });
    });

  test('what is no whole number of MiB is refused', () => {
    for (const text of ['1K', '0.0001G', '1.3M'])
      assert.throws(() => parseSize('--memory', text), { code: 'bad-size' });
  });

  test('any text is a size or a UserError in one line', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.stringMatching(/^\d{0,15}(\.\d{0,10})?[kmgtKMGT]?(ib)?$/)),
        (text) => {
          try {
            const bytes = parseSize('--memory', text);
            assert.ok(Number.isSafeInteger(bytes) && bytes > 0 && bytes % 2 ** 20 === 0);
          } catch (error) {
            assert.equal((error as Error).name, 'UserError');
            assert.doesNotMatch((error as Error).message, /\p{Cc}/u);
          }
        },
      ),
    );
  });

  test('whole sizes survive being formatted and read again', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1023 }),
        fc.constantFrom(2 ** 20, 2 ** 30, 2 ** 40),
        (count, unit) => {
          assert.equal(parseSize('--memory', formatSize(count * unit).replace(' ', '')), count * unit);
        },
      ),
    );
  });
});

test('formatSize takes the largest unit and one decimal', () => {
  assert.deepEqual([0, 1023, 1536, 2 ** 29, 1.25 * 2 ** 30].map(formatSize), [
    '0 B',
    '1023 B',
    '1.5 KiB',
    '512 MiB',
    '1.3 GiB',
  ]);
});
