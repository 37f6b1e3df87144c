import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLabOptions } from './options.ts';

const refused = (args: string[], message: RegExp) =>
  assert.throws(() => parseLabOptions(args), { name: 'UserError', code: 'lab-usage', message });

test('without options, one processor and 2 GiB', () => {
  assert.deepEqual(parseLabOptions(['true']), {
    memoryMib: 2048,
    cpus: 1,
    numaNodes: 1,
    parallel: false,
    append: '',
    timeoutSeconds: 0,
    packages: [],
    verbose: false,
    command: ['true'],
  });
});

test("options end at the first word that is none, so that the command's own are left alone", () => {
  const options = parseLabOptions(['--cpus', '4', 'ls', '--memory', '-l', '--', 'x']);
  assert.equal(options?.cpus, 4);
  assert.equal(options?.memoryMib, 2048);
  assert.deepEqual(options?.command, ['ls', '--memory', '-l', '--', 'x']);
});

test('a command may follow --', () => {
  assert.deepEqual(parseLabOptions(['--verbose', '--', '-x'])?.command, ['-x']);
});

test('values may be part of the word; --package may come again', () => {
  const options = parseLabOptions([
    ...['--memory=3G', '--append=a=b c', '--cpus', '2', '--numa', '2', '--timeout', '30'],
    ...['--package', 'strace', '--package=jq', '--parallel', 'true'],
  ]);
  assert.equal(options?.memoryMib, 3072);
  assert.equal(options?.append, 'a=b c');
  assert.equal(options?.numaNodes, 2);
  assert.equal(options?.parallel, true);
  assert.equal(options?.timeoutSeconds, 30);
  assert.deepEqual(options?.packages, ['strace', 'jq']);
});

test('help is no command', () => {
  assert.equal(parseLabOptions(['--help']), undefined);
});

test('mistakes are named', () => {
  refused([], /No command/);
  refused(['--verbose'], /No command/);
  refused(['--cpus'], /--cpus needs a value/);
  refused(['--cpus', '0', 'true'], /--cpus 0 is not a number from 1 to 64/);
  refused(['--cpus', 'two', 'true'], /--cpus two/);
  refused(['--memory', '12', 'true'], /--memory 12 is not a size/);
  refused(['--memory', '3T', 'true'], /--memory 3T is not a size/);
  refused(['--numa', '4', 'true'], /--numa must not be more than --cpus/);
  refused(['--kvm', 'yes', 'true'], /no option --kvm/);
});
