import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '@vireo/errors';
import fc from 'fast-check';
import { ArraySource } from './byte-source.ts';
import { parseElf } from './elf.ts';
import { buildElf } from './synthetic-kernels.ts';

const parse = (bytes: Uint8Array) => parseElf(new ArraySource(bytes, 'k'));
const code = (length: number) => new Uint8Array(length).fill(0x90);

function codeOf(bytes: Uint8Array): string {
  try {
    parse(bytes);
    return 'none';
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    return error.code;
  }
}

for (const bits of [32, 64] as const) {
  test(`ELF${bits}: segments by physical address, and the PVH note's entry`, () => {
    const elf = parse(
      buildElf({
        bits,
        segments: [
          { gpa: 0x200000, bytes: code(64), memoryBytes: 4096 },
          { gpa: 0x100000, bytes: code(32) },
        ],
        pvhEntryGpa: 0x100010,
      }),
    );
    assert.equal(elf.bits, bits);
    assert.equal(elf.pvhEntryGpa, 0x100010);
    assert.deepEqual(
      elf.segments.map(({ gpa, offset, fileBytes, memoryBytes }) => [gpa, offset, fileBytes, memoryBytes]),
      [
        [0x100000, 0x1040, 32, 32],
        [0x200000, 0x1000, 64, 4096],
      ],
    );
  });
}

test('a file without the note has no PVH entry', () => {
  assert.equal(parse(buildElf({ segments: [{ gpa: 0x100000, bytes: code(16) }] })).pvhEntryGpa, undefined);
});

test('a segment beyond the end of the file is truncation', () => {
  const bytes = buildElf({ segments: [{ gpa: 0x100000, bytes: code(4096) }] });
  assert.equal(codeOf(bytes.subarray(0, bytes.length - 1)), 'kernel-truncated');
});

test('another architecture is named', () => {
  const bytes = buildElf({ machine: 183, segments: [{ gpa: 0x100000, bytes: code(16) }] });
  assert.throws(() => parse(bytes), /k is for arm64, the machine is x86-64/);
});

test('overlapping segments, segments above 4 GiB and files without segments are refused', () => {
  const a = { gpa: 0x100000, bytes: code(16), memoryBytes: 0x1001 };
  assert.equal(codeOf(buildElf({ segments: [a, { gpa: 0x101000, bytes: code(16) }] })), 'kernel-damaged');
  assert.equal(codeOf(buildElf({ segments: [{ ...a, gpa: 0xffff_f000 }] })), 'kernel-damaged');
  assert.equal(codeOf(buildElf({ segments: [] })), 'kernel-damaged');
  assert.equal(codeOf(buildElf({ segments: [{ ...a, memoryBytes: 8 }] })), 'kernel-damaged');
});

test('a relocatable object is no executable', () => {
  assert.equal(codeOf(buildElf({ type: 1, segments: [] })), 'kernel-unrecognised');
});

test('hostile ELF files: a UserError or an image whose segments lie in the file', () => {
  const good = buildElf({
    segments: [
      { gpa: 0x100000, bytes: code(100) },
      { gpa: 0x200000, bytes: code(50), memoryBytes: 9000 },
    ],
    pvhEntryGpa: 0x100000,
  });
  const patches = fc.array(fc.tuple(fc.nat(260), fc.nat(255)), { minLength: 1, maxLength: 12 });
  const tail = fc.tuple(fc.nat(good.length), fc.array(fc.tuple(fc.nat(44), fc.nat(255)), { maxLength: 6 }));
  fc.assert(
    fc.property(patches, tail, (head, [length, notePatches]) => {
      const bytes = Uint8Array.from(good);
      for (const [at, value] of head) bytes[at] = value;
      for (const [at, value] of notePatches) bytes[bytes.length - 1 - at] = value;
      checkParsed(bytes);
      checkParsed(bytes.subarray(0, length));
    }),
    { numRuns: 2000 },
  );
});

function checkParsed(bytes: Uint8Array): void {
  if (codeOf(bytes) !== 'none') return;
  for (const { offset, fileBytes, memoryBytes, gpa } of parse(bytes).segments) {
    assert.ok(offset + fileBytes <= bytes.length && fileBytes <= memoryBytes && gpa + memoryBytes <= 2 ** 32);
  }
}
