import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { UserError } from '@vireo/errors';
import fc from 'fast-check';
import { ArraySource } from './byte-source.ts';
import { identifyKernel, identifyKernelFile } from './identify.ts';
import { buildBzImage, buildElf } from './synthetic-kernels.ts';

const directory = mkdtempSync(join(tmpdir(), 'vireo-identify-'));
after(() => rmSync(directory, { recursive: true }));

const code = new Uint8Array(64).fill(0x90);
const identify = (bytes: Uint8Array) => identifyKernel(new ArraySource(bytes, 'k'));

function refusal(run: () => unknown): UserError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: 'expected a UserError' });
}

test('a PVH ELF, with its entry', () => {
  const image = identify(buildElf({ segments: [{ gpa: 0x100000, bytes: code }], pvhEntryGpa: 0x100004 }));
  assert.equal(image.kind, 'pvh-elf');
  assert.equal(image.kind === 'pvh-elf' && image.pvhEntryGpa, 0x100004);
});

test('a vmlinux without a PVH note: linked high, entered low', () => {
  const segments = [{ gpa: 0x1000000, gva: 0xffff_ffff_8100_0000n, bytes: code }];
  assert.equal(identify(buildElf({ segments })).kind, 'elf');
});

test('another ELF executable without a PVH note is refused', () => {
  const error = refusal(() => identify(buildElf({ segments: [{ gpa: 0x400000, bytes: code }] })));
  assert.equal(error.code, 'kernel-no-entry');
  assert.match(error.fix ?? '', /CONFIG_PVH/);
});

test('a PVH entry outside the segments is refused', () => {
  const bytes = buildElf({ segments: [{ gpa: 0x100000, bytes: code }], pvhEntryGpa: 0x100000 + code.length });
  assert.equal(refusal(() => identify(bytes)).code, 'kernel-damaged');
});

test('a bzImage, with what its header says', () => {
  const image = identify(buildBzImage({ payload: new Uint8Array(5000), initSizeBytes: 3 << 20 }));
  assert.ok(image.kind === 'bzimage');
  const { header } = image;
  assert.deepEqual(
    [header.codeOffset, header.payloadOffset, header.payloadBytes, header.initSizeBytes, header.prefAddress],
    [2048, 2048 + 0x300, 5000, 3 << 20, 0x1000000],
  );
});

const payload = new Uint8Array(5000);
const refusedBzImages: [string, Uint8Array, string][] = [
  ['an old boot protocol', buildBzImage({ payload, version: 0x20b }), 'kernel-too-old'],
  ['a 32-bit kernel', buildBzImage({ payload, xloadflags: 0 }), 'kernel-32-bit'],
  ['a truncated file', buildBzImage({ payload }).subarray(0, 4000), 'kernel-truncated'],
  ['a header cut short', buildBzImage({ payload }).subarray(0, 0x210), 'kernel-truncated'],
  ['an init_size smaller than the code', buildBzImage({ payload, initSizeBytes: 100 }), 'kernel-damaged'],
  ['a pref_address near 4 GiB', buildBzImage({ payload, prefAddress: 0xfff00000 }), 'kernel-damaged'],
];
for (const [name, bytes, expected] of refusedBzImages) {
  test(`a bzImage is refused: ${name}`, () => assert.equal(refusal(() => identify(bytes)).code, expected));
}

function at(offset: number, magic: string): Uint8Array {
  const bytes = Buffer.alloc(2048, 0x07);
  bytes.write(magic, offset, 'latin1');
  return bytes;
}

const lookalikes: [Uint8Array, RegExp][] = [
  [at(0, '\x1f\x8b\x08'), /a gzip file/],
  [at(0, '\xfd7zXZ\0'), /an xz file/],
  [at(0, '\x28\xb5\x2f\xfd'), /a zstd file/],
  [at(0, '070701'), /an initramfs/],
  [at(0x38, 'ARM\x64'), /an arm64 kernel/],
  [at(0, '!<arch>\ndebian-binary'), /a Debian package/],
  [at(0, 'QFI\xfb'), /a qcow2 disk image/],
  [at(0x1fe, '\x55\xaa'), /a boot sector or disk image/],
  [Buffer.from('console=ttyS0\n'), /a text file/],
  [new Uint8Array(4096), /all zeros/],
  [at(0, '\x01\x02\x03\x04'), /is not a kernel: neither a bzImage nor an ELF/],
];
for (const [bytes, what] of lookalikes) {
  test(`what is no kernel is named: ${what.source}`, () => {
    const error = refusal(() => identify(bytes));
    assert.equal(error.code, 'kernel-unrecognised');
    assert.match(error.message, what);
    assert.ok(error.fix);
  });
}

test('an empty file is named', () =>
  assert.equal(refusal(() => identify(new Uint8Array())).code, 'kernel-empty'));

test('a missing file, a directory and a named pipe are one clear refusal each', () => {
  assert.equal(refusal(() => identifyKernelFile(join(directory, 'none'))).code, 'file-not-found');
  assert.equal(refusal(() => identifyKernelFile(directory)).code, 'file-not-regular');
  const fifo = join(directory, 'fifo');
  execFileSync('mkfifo', [fifo]);
  assert.match(refusal(() => identifyKernelFile(fifo)).message, /a named pipe/);
});

test('a file is identified by its path', () => {
  const path = join(directory, 'k');
  writeFileSync(path, buildBzImage({ payload }));
  assert.equal(identifyKernelFile(path).kind, 'bzimage');
});

const bzImage = buildBzImage({ payload });
const mutations = fc.array(fc.tuple(fc.integer({ min: 0x1f1, max: 0x26f }), fc.nat(255)), { maxLength: 10 });

test('hostile bzImages: a UserError, or code and payload inside the file', () => {
  fc.assert(
    fc.property(mutations, fc.option(fc.nat(bzImage.length)), (patches, length) => {
      const bytes = Uint8Array.from(bzImage);
      for (const [offset, value] of patches) bytes[offset] = value;
      const cut = bytes.subarray(0, length ?? bytes.length);
      try {
        const image = identify(cut);
        if (image.kind !== 'bzimage') return;
        const { codeOffset, codeBytes, payloadOffset, payloadBytes } = image.header;
        assert.ok(codeOffset + codeBytes <= cut.length);
        assert.ok(payloadOffset + payloadBytes <= cut.length);
      } catch (error) {
        assert.ok(error instanceof UserError, String(error));
      }
    }),
    { numRuns: 3000 },
  );
});

test('random bytes, with and without a magic number in front: a UserError', () => {
  const magic = fc.constantFrom('', '\x7fELF\x02\x01\x01', '\x7fELF\x01\x01', 'MZ', '\x1f\x8b');
  fc.assert(
    fc.property(magic, fc.uint8Array({ maxLength: 700 }), (head, rest) => {
      refusal(() => identify(Buffer.concat([Buffer.from(head, 'latin1'), rest])));
    }),
  );
});
