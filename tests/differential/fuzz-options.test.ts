import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFuzzOptions } from './fuzz-options.ts';

test('a minute of everything, from a seed by chance, unless told otherwise', () => {
  assert.deepEqual(
    parseFuzzOptions([], () => 0.5),
    { minutes: 1, seed: 2 ** 31, only: [], undefinedToo: false, hiddenToo: false },
  );
});

test('options are read', () => {
  const words = ['--minutes', '0.5', '--seed', '7', '--only', 'add,ADC', '--case', '0'];
  assert.deepEqual(parseFuzzOptions([...words, '--undefined-too', '--hidden-too']), {
    ...{ minutes: 0.5, seed: 7, only: ['ADD', 'ADC'], caseNumber: 0 },
    ...{ undefinedToo: true, hiddenToo: true },
  });
});

test('--help asks for help', () => {
  assert.equal(parseFuzzOptions(['--minutes', '2', '--help']), undefined);
});

test('what cannot be is refused with one sentence', () => {
  for (const words of [
    ['--minutes', '0'],
    ['--minutes', 'soon'],
    ['--minutes'],
    ['--seed', '-1'],
    ['--seed', '4294967296'],
    ['--seed', '1', '--case', '999999999'],
    ['--case', '1'],
    ['--only', 'ADDLE'],
    ['--fast'],
    ['ADD'],
  ])
    assert.throws(() => parseFuzzOptions(words), {
      ...{ name: 'UserError', code: 'fuzz-usage', message: /^[^\n.]+(\.\d[^\n.]*)?\.$/ },
    });
});
