import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ArraySource } from './byte-source.ts';
import { compactElf } from './compact-elf.ts';
import { type ElfImage, parseElf } from './elf.ts';
import { buildElf } from './synthetic-kernels.ts';

/** What loading puts at each address, over all segments. */
function memoryOf(bytes: Uint8Array, elf: ElfImage, start: number, end: number): Uint8Array {
  const memory = new Uint8Array(end - start).fill(0xcc);
  for (const { offset, gpa, fileBytes, memoryBytes } of elf.segments) {
    memory.fill(0, gpa - start, gpa - start + memoryBytes);
    memory.set(bytes.subarray(offset, offset + fileBytes), gpa - start);
  }
  return memory;
}

const PAGE = 4096;
const START = 0x100000;
const runs = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 40 })), { maxLength: 8 });

test('the compact form loads the same memory from fewer bytes', () => {
  fc.assert(
    fc.property(runs, fc.nat(5000), fc.nat(30_000), (pages, tailBytes, bssBytes) => {
      const parts = pages.map(([isZero, count]) => new Uint8Array(count * PAGE).fill(isZero ? 0 : 0x90));
      const bytes = Buffer.concat([Uint8Array.of(0x90), ...parts, new Uint8Array(tailBytes)]);
      const segments = [
        { gpa: START, bytes, memoryBytes: bytes.length + bssBytes, gva: 0xffffffff81000000n },
      ];
      const file = buildElf({ segments, pvhEntryGpa: START });
      const elf = parseElf(new ArraySource(file));
      const compact = Buffer.concat(compactElf(file, elf, START));
      const again = parseElf(new ArraySource(compact));
      const end = START + bytes.length + bssBytes;
      assert.deepEqual([again.pvhEntryGpa, again.entry], [START, elf.entry]);
      assert.equal(
        Buffer.compare(memoryOf(file, elf, START, end + PAGE), memoryOf(compact, again, START, end + PAGE)),
        0,
      );
      const dataBytes = pages.reduce(
        (sum, [isZero, count]) => sum + (isZero && count > 17 ? 0 : count * PAGE),
        0,
      );
      // Runs need not start on a page: each may touch one more, and is filled up to a whole one.
      assert.ok(compact.length <= dataBytes + (4 + 2 * pages.length) * PAGE);
    }),
    { numRuns: 100 },
  );
});
