import assert from 'node:assert/strict';
import { test } from 'node:test';
import { benchArguments, parseBenchOptions } from './options.ts';

test('no words and --help ask for help', () => {
  assert.equal(parseBenchOptions([]), undefined);
  assert.equal(parseBenchOptions(['boot', '--help']), undefined);
});

test('five pairs, and everything, unless told otherwise', () => {
  const options = parseBenchOptions(['boot']);
  assert.equal(options?.pairs, 5);
  assert.equal(options?.guestMemoryMib, 512);
  assert.deepEqual(options?.only, []);
  assert.equal(options?.on, 'auto');
});

test('options are read', () => {
  const words = ['exits', '--pairs', '7', '--only', 'pio-in,mmio-read', '--on', 'lab', '--format', 'json'];
  const options = parseBenchOptions([...words, '--json', 'a.json', '--inside-lab']);
  assert.equal(options?.benchmark, 'exits');
  assert.equal(options.pairs, 7);
  assert.deepEqual(options.only, ['pio-in', 'mmio-read']);
  assert.equal(options.on, 'lab');
  assert.equal(options.format, 'json');
  assert.equal(options.jsonFile, 'a.json');
  assert.equal(options.insideLab, true);
});

test('what cannot be is refused with a sentence', () => {
  for (const words of [['bot'], ['boot', '--pairs'], ['boot', '--pairs', '0'], ['boot', '--pairs', '1.5']])
    assert.throws(() => parseBenchOptions(words), { name: 'UserError', code: 'bench-usage' });
  for (const words of [
    ['boot', '--fast', '1'],
    ['boot', '--on', 'mars'],
    ['boot', '--format', 'xml'],
    ['boot', '--only', 'pio-in'],
  ])
    assert.throws(() => parseBenchOptions(words), { name: 'UserError', code: 'bench-usage' });
});

test('the words for the lab say the same', () => {
  const options = parseBenchOptions([
    'boot',
    '--pairs',
    '3',
    '--only',
    'kernel',
    '--serial',
    '64',
    '--cpus',
    '2',
  ]);
  assert.ok(options);
  assert.deepEqual(parseBenchOptions(benchArguments(options)), options);
});

test('cpu is about engines in software, and boot when it is told', () => {
  const options = parseBenchOptions(['cpu', '--runs', '3', '--only', 'lz,sha256', '--monitors', 'qemu']);
  assert.equal(options?.pairs, 3);
  assert.equal(options.accelerator, 'wasm');
  assert.deepEqual(options.only, ['lz', 'sha256']);
  assert.deepEqual(options.monitors, ['qemu']);
  assert.equal(parseBenchOptions(['boot'])?.accelerator, 'kvm');
  assert.equal(parseBenchOptions(['boot', '--accel', 'wasm'])?.accelerator, 'wasm');
});

test('what no engine in software can do is refused', () => {
  for (const words of [
    ['exits', '--accel', 'wasm'],
    ['cpu', '--accel', 'kvm'],
    ['boot', '--accel', 'tcg'],
    ['cpu', '--monitors', 'vireo,xen'],
    ['cpu', '--only', 'kernel'],
    ['cpu', '--scale', '0'],
  ])
    assert.throws(
      () => parseBenchOptions(words),
      { name: 'UserError', code: 'bench-usage' },
      words.join(' '),
    );
});
