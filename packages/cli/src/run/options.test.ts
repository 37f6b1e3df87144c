import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { RUN_OPTIONS, readRunArguments, toRunOptions } from './options.ts';

const options = (...args: string[]) => toRunOptions(readRunArguments(args) ?? assert.fail('not understood'));

describe('vireo run', () => {
  test('defaults', () => {
    assert.deepEqual(options(), {
      accelerator: 'auto',
      cpus: 1,
      memoryBytes: 512 * 2 ** 20,
      append: '',
      name: `vm-${process.pid}`,
      noReboot: false,
      verbose: false,
    });
  });

  test('everything at once, in both forms that options have', () => {
    const args = [
      '--accel=kvm',
      '--cpus',
      '4',
      '--memory=2G',
      '--kernel',
      'k',
      '--initrd',
      'i',
      '--append',
      'a b',
    ];
    assert.deepEqual(options(...args, '--name', 'web-1.test_2', '--no-reboot', '--verbose'), {
      accelerator: 'kvm',
      cpus: 4,
      memoryBytes: 2 * 2 ** 30,
      kernel: 'k',
      initrd: 'i',
      append: 'a b',
      name: 'web-1.test_2',
      noReboot: true,
      verbose: true,
    });
  });

  test('the last of two counts', () => assert.equal(options('--cpus', '2', '--cpus', '3').cpus, 3));

  for (const [args, code] of [
    [['--cpus', '0'], 'bad-cpus'],
    [['--cpus', '65'], 'bad-cpus'],
    [['--cpus', '2.5'], 'bad-cpus'],
    [['--cpus', 'two'], 'bad-cpus'],
    [['--cpus', ''], 'bad-cpus'],
    [['--accel', 'tcg'], 'bad-accelerator'],
    [['--memory', '512'], 'bad-size'],
    [['--name', ''], 'bad-name'],
    [['--name', '../etc'], 'bad-name'],
    [['--name', '.hidden'], 'bad-name'],
    [['--name', 'a b'], 'bad-name'],
    [['--name', 'x'.repeat(64)], 'bad-name'],
    [['--append', 'a\nb'], 'bad-append'],
    [['--append', 'a\0b'], 'bad-append'],
  ] as const)
    test(`${JSON.stringify(args)} is refused with ${code} and a fix`, () => {
      assert.throws(() => options(...args), { name: 'UserError', code, fix: /^[A-Z].*\.$/ });
    });

  test('1 and 64 vCPUs are possible', () => {
    assert.equal(options('--cpus', '1').cpus, 1);
    assert.equal(options('--cpus', '64').cpus, 64);
  });

  test('what the parser has to say something about is left to it', () => {
    for (const args of [['--help'], ['--cpu', '2'], ['--cpus'], ['x'], ['--verbose=1'], ['--append', '-x']])
      assert.equal(readRunArguments(args), undefined, args.join(' '));
  });

  test('any words are options, left to the parser, or a UserError in one line', () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom(...RUN_OPTIONS.map(({ name }) => `--${name}`), '1', '512M'),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (args) => {
        const values = readRunArguments(args);
        if (!values) return;
        try {
          const { name, cpus } = toRunOptions(values);
          assert.match(name, /^[\w.-]{1,63}$/);
          assert.ok(cpus >= 1 && cpus <= 64);
        } catch (error) {
          assert.equal((error as Error).name, 'UserError');
          assert.doesNotMatch((error as Error).message, /\p{Cc}/u);
        }
      }),
    );
  });
});
