import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { writeExt4Image } from './ext4-image.ts';
import { requireProgramFrom } from './packaged-program.ts';

const directory = mkdtempSync(join(tmpdir(), 'vireo-test-'));
const image = join(directory, 'disk.img');
after(() => rmSync(directory, { recursive: true }));

const debugfs = (command: string) => requireProgramFrom('e2fsprogs', 'debugfs', ['-R', command, image]);

test('an image holds the files of a directory, is sound, and is sparse', async () => {
  const tree = join(directory, 'tree');
  mkdirSync(join(tree, 'many'), { recursive: true });
  for (let index = 0; index < 300; index++) writeFileSync(join(tree, 'many', `file-${index}`), `${index}`);
  writeFileSync(join(tree, 'large'), Buffer.alloc(3_000_000, 'x'));
  symlinkSync('many/file-7', join(tree, 'link'));
  await writeExt4Image(tree, image, 'a-label');

  await requireProgramFrom('e2fsprogs', 'e2fsck', ['-f', '-n', image]);
  assert.equal(await debugfs('cat /many/file-299'), '299');
  assert.equal((await debugfs('cat /large')).length, 3_000_000);
  assert.match(await debugfs('stat /link'), /Fast link dest: "many\/file-7"/);
  assert.ok(statSync(image).size < 8_000_000);
});

test('an empty directory makes an image too', async () => {
  const tree = join(directory, 'empty');
  mkdirSync(tree);
  await writeExt4Image(tree, image, 'empty');
  await requireProgramFrom('e2fsprogs', 'e2fsck', ['-f', '-n', image]);
});
