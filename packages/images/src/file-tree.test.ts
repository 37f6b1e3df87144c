import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { copyFile, makeMergedUsr, mergeTree } from './file-tree.ts';

let root = '';
let source = '';
let base = '';
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'vireo-test-'));
  root = join(base, 'root');
  source = join(base, 'source');
  makeMergedUsr(root);
});
afterEach(() => rmSync(base, { recursive: true }));

function put(path: string, text: string): void {
  mkdirSync(dirname(join(source, path)), { recursive: true });
  writeFileSync(join(source, path), text);
}

test('files of /lib and /bin land in the merged /usr, as links to the same data', () => {
  put('lib/x86_64-linux-gnu/libc.so.6', 'C');
  put('usr/bin/bash', 'B');
  mergeTree(source, root);
  assert.equal(readFileSync(join(root, 'usr/lib/x86_64-linux-gnu/libc.so.6'), 'utf8'), 'C');
  assert.equal(readFileSync(join(root, 'lib/x86_64-linux-gnu/libc.so.6'), 'utf8'), 'C');
  assert.equal(statSync(join(root, 'usr/bin/bash')).nlink, 2);
});

test('symbolic links stay links, and the first of two files wins', () => {
  put('usr/bin/cat', 'first');
  symlinkSync('cat', join(source, 'usr/bin/dog'));
  mergeTree(source, root);
  writeFileSync(join(base, 'second'), 'second');
  mkdirSync(join(base, 'other/usr/bin'), { recursive: true });
  writeFileSync(join(base, 'other/usr/bin/cat'), 'second');
  mergeTree(join(base, 'other'), root);
  assert.equal(readlinkSync(join(root, 'usr/bin/dog')), 'cat');
  assert.equal(readFileSync(join(root, 'usr/bin/cat'), 'utf8'), 'first');
});

test('what is not kept is left out, whole directories included', () => {
  put('usr/share/doc/bash/README', 'D');
  put('usr/share/qemu/pvh.bin', 'P');
  mergeTree(source, root, (path) => path !== 'usr/share/doc');
  assert.equal(statSync(join(root, 'usr/share/doc'), { throwIfNoEntry: false }), undefined);
  assert.equal(readFileSync(join(root, 'usr/share/qemu/pvh.bin'), 'utf8'), 'P');
});

test('a copy keeps the time of the last change, the mode, and links as links', () => {
  put('a', 'A');
  chmodSync(join(source, 'a'), 0o755);
  utimesSync(join(source, 'a'), 1_000_000, 1_234_567);
  symlinkSync('a', join(source, 'b'));
  for (const name of ['a', 'b']) copyFile(join(source, name), join(root, 'copies', name));
  const stats = statSync(join(root, 'copies/a'));
  assert.deepEqual([stats.mtimeMs, stats.mode & 0o777, stats.nlink], [1_234_567_000, 0o755, 1]);
  assert.equal(readlinkSync(join(root, 'copies/b')), 'a');
});
