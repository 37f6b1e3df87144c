import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { UserError } from '@vireo/errors';
import fc from 'fast-check';
import { ArraySource } from './byte-source.ts';
import { checkInitrd, openInitrd } from './initrd.ts';
import { buildBzImage, codeLikeBytes } from './synthetic-kernels.ts';

const directory = mkdtempSync(join(tmpdir(), 'vireo-initrd-'));
after(() => rmSync(directory, { recursive: true }));

const check = (bytes: Uint8Array) => checkInitrd(new ArraySource(bytes, 'i'));

async function codeOf(bytes: Uint8Array): Promise<string> {
  try {
    await check(bytes);
    return 'whole';
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    assert.ok(error.message.includes('initrd i ') && error.fix);
    return error.code;
  }
}

/** A "newc" archive of files with these contents. */
function cpio(...files: Uint8Array[]): Buffer {
  const entry = (name: string, bytes: Uint8Array) => {
    const fields = [1, 0o100644, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, name.length + 1, 0];
    const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`;
    const padded = Buffer.alloc(Math.ceil(head.length / 4) * 4);
    padded.write(head, 'latin1');
    return Buffer.concat([padded, bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
  };
  const entries = files.map((bytes, i) => entry(`file${i}`, bytes));
  return Buffer.concat([...entries, entry('TRAILER!!!', new Uint8Array())]);
}

const archive = cpio(codeLikeBytes(3000), codeLikeBytes(70_001, 2), new Uint8Array());

function tool(command: string, ...args: string[]): Uint8Array | undefined {
  if (spawnSync(command, ['--version']).error) return undefined;
  return execFileSync(command, args, { input: archive });
}

const packed: [string, Uint8Array | undefined][] = [
  ['cpio', archive],
  ['gzip', gzipSync(archive)],
  ['zstd', zstdCompressSync(archive)],
  ['xz', tool('xz', '-c', '--check=crc32', '--block-size=20000')],
  ['lz4', tool('lz4', '-l', '-c')],
];

for (const [name, bytes] of packed) {
  const options = {
    skip: bytes ? false : `${name} is missing: apt-get install ${name === 'xz' ? 'xz-utils' : name}`,
  };

  test(
    `${name}: a whole initrd passes, with zeros after it, and with another part after them`,
    options,
    async () => {
      assert.equal(await codeOf(bytes!), 'whole');
      const padding = Buffer.alloc(512 - (bytes!.length % 4));
      assert.equal(await codeOf(Buffer.concat([bytes!, padding])), 'whole');
      assert.equal(await codeOf(Buffer.concat([bytes!, padding, archive])), 'whole');
      assert.equal(await codeOf(Buffer.concat([archive, bytes!])), 'whole');
    },
  );

  test(`${name}: a truncated initrd is called truncated`, options, async () => {
    for (const kept of [0.1, 0.5, 0.9]) {
      const cut = bytes!.subarray(0, Math.floor(bytes!.length * kept));
      assert.equal(await codeOf(cut), 'initrd-truncated', `${kept} of it`);
      assert.equal(await codeOf(Buffer.concat([archive, cut])), 'initrd-truncated');
    }
  });

  test(`${name}: hostile bytes pass or are refused, and nothing else`, options, async () => {
    const patches = fc.array(fc.tuple(fc.nat(bytes!.length - 1), fc.nat(255)), {
      minLength: 1,
      maxLength: 6,
    });
    const random = fc.asyncProperty(patches, fc.nat(bytes!.length), async (changes, length) => {
      const changed = Uint8Array.from(bytes!);
      for (const [at, value] of changes) changed[at] = value;
      await codeOf(changed);
      await codeOf(changed.subarray(0, length));
    });
    await fc.assert(random, { numRuns: 60 });
  });
}

test('gzip: a flipped bit is damage', async () => {
  const bytes = gzipSync(archive);
  bytes[bytes.length - 6]! ^= 1;
  assert.equal(await codeOf(bytes), 'initrd-damaged');
});

test('what is no initrd is refused, a kernel by name', async () => {
  assert.equal(await codeOf(new Uint8Array()), 'initrd-empty');
  assert.equal(await codeOf(new Uint8Array(5000)), 'initrd-unrecognised');
  assert.equal(await codeOf(Buffer.from('#!/bin/sh\n')), 'initrd-unrecognised');
  const kernel = buildBzImage({ payload: new Uint8Array(100) });
  await assert.rejects(check(kernel), /is a kernel or program, not an initrd/);
});

test('a file system image is taken as it is', async () => {
  const squashfs = Buffer.alloc(4096);
  squashfs.write('hsqs');
  assert.equal(await codeOf(squashfs), 'whole');
});

test('an initrd seen whole is not read through again until it changes', async () => {
  const cacheDirectory = join(directory, 'cache');
  const path = join(directory, 'initrd');
  writeFileSync(path, gzipSync(archive));
  await sleep(60);
  for (let i = 0; i < 2; i++) (await openInitrd(path, { cacheDirectory })).close();
  assert.equal(readdirSync(join(cacheDirectory, 'files')).length, 1);
  writeFileSync(path, gzipSync(archive).subarray(0, -20));
  await assert.rejects(openInitrd(path, { cacheDirectory }), { code: 'initrd-truncated' });
});

test('a missing initrd is one clear refusal', async () => {
  const missing = openInitrd(join(directory, 'none'), { cacheDirectory: directory });
  await assert.rejects(missing, { code: 'file-not-found' });
});
