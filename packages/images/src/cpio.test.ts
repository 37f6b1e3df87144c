import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CpioEntry, cpioArchive } from './cpio.ts';
import { readCpio } from './testing/read-cpio.ts';

const archive = (entries: readonly CpioEntry[]) => Buffer.concat([...cpioArchive(entries)]);

test('types and permissions of every kind of entry', () => {
  const entries = readCpio(
    archive([
      { kind: 'directory', path: 'bin' },
      { kind: 'file', path: 'bin/busybox', mode: 0o755, data: Buffer.from('ELF') },
      { kind: 'symlink', path: 'bin/sh', target: 'busybox' },
      { kind: 'character-device', path: 'dev/console', major: 5, minor: 1 },
      { kind: 'block-device', path: 'dev/vda', mode: 0o660, major: 254, minor: 0 },
    ]),
  );
  const shown = entries.map(({ path, mode, links, major, minor, data }) => [
    path,
    mode.toString(8),
    links,
    `${major}:${minor}`,
    Buffer.from(data).toString(),
  ]);
  assert.deepEqual(shown, [
    ['bin', '40755', 2, '0:0', ''],
    ['bin/busybox', '100755', 1, '0:0', 'ELF'],
    ['bin/sh', '120777', 1, '0:0', 'busybox'],
    ['dev/console', '20600', 1, '5:1', ''],
    ['dev/vda', '60660', 1, '254:0', ''],
  ]);
});

test('an archive is whole sectors, so that others can follow it', () => {
  assert.equal(archive([]).length, 512);
  assert.equal(archive([{ kind: 'file', path: 'a', data: new Uint8Array(700) }]).length % 512, 0);
});

test('names that would end the archive or themselves too early are refused', () => {
  for (const path of ['TRAILER!!!', 'a\0b']) {
    assert.throws(() => archive([{ kind: 'directory', path }]), RangeError);
  }
});

test('whatever is written is read back', () => {
  const path = fc
    .array(fc.stringMatching(/^[^/\0]+$/), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join('/'))
    .filter((text) => text !== 'TRAILER!!!');
  const mode = fc.integer({ min: 0, max: 0o7777 });
  const entry: fc.Arbitrary<CpioEntry> = fc.oneof(
    fc.record({ kind: fc.constant('file'), path, mode, data: fc.uint8Array({ maxLength: 600 }) }),
    fc.record({ kind: fc.constant('directory'), path, mode }),
    fc.record({ kind: fc.constant('symlink'), path, target: fc.stringMatching(/^[^\0]+$/) }),
    fc.record({
      kind: fc.constantFrom('character-device', 'block-device'),
      path,
      mode,
      major: fc.nat(4095),
      minor: fc.nat(1_048_575),
    }),
  );
  fc.assert(
    fc.property(fc.array(entry), (entries) => {
      const read = readCpio(archive(entries));
      assert.equal(read.length, entries.length);
      for (const [index, wanted] of entries.entries()) assertSame(read[index]!, wanted);
    }),
  );
});

function assertSame(read: ReturnType<typeof readCpio>[number], wanted: CpioEntry): void {
  assert.equal(read.path, Buffer.from(wanted.path).toString());
  if (wanted.kind !== 'symlink') assert.equal(read.mode & 0o7777, wanted.mode);
  if (wanted.kind === 'file') assert.deepEqual(Buffer.from(read.data), Buffer.from(wanted.data));
  if (wanted.kind === 'symlink') assert.deepEqual(Buffer.from(read.data), Buffer.from(wanted.target));
  if ('major' in wanted) assert.deepEqual([read.major, read.minor], [wanted.major, wanted.minor]);
}
