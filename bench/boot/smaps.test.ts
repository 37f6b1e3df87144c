import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseSmaps, splitResident } from './smaps.ts';

const SMAPS = `5588c0a00000-5588c1a00000 r-xp 00000000 fe:00 1234                       /usr/bin/some monitor
Size:              16384 kB
KernelPageSize:        4 kB
Rss:                8000 kB
Pss:                4000 kB
Pss_Dirty:             0 kB
VmFlags: rd ex mr mw me
7f0000000000-7f0020000000 rw-p 00000000 00:00 0
Size:             524288 kB
Rss:               65536 kB
Pss:               65536 kB
7f0040000000-7f0080000000 ---p 00000000 00:00 0
Size:            1048576 kB
Rss:                   0 kB
Pss:                   0 kB
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                          [stack]
Size:                132 kB
Rss:                  40 kB
Pss:                  40 kB
`;

test('mappings are read with their sizes and names', () => {
  const mappings = parseSmaps(SMAPS);
  assert.equal(mappings.length, 4);
  assert.deepEqual(mappings[0], {
    permissions: 'r-xp',
    name: '/usr/bin/some monitor',
    sizeKib: 16384,
    rssKib: 8000,
    pssKib: 4000,
  });
  assert.equal(mappings[3]?.name, '[stack]');
});

test('guest RAM is what can be written and is as large as the guest', () => {
  assert.deepEqual(splitResident(parseSmaps(SMAPS), 512), {
    guestRam: { pssKib: 65536 },
    aboveGuestRam: { rssKib: 8040, pssKib: 4040 },
  });
});

test("where Vireo's guest RAM is a file, its mappings are guest RAM and nothing else is", () => {
  const engine = `7f0000000000-7f0031000000 rw-p 00000000 00:00 0
Size:             802816 kB
Rss:               45000 kB
Pss:               45000 kB
7f0031000000-7f0051000000 rw-s 00000000 00:01 1025                       /memfd:vireo-ram (deleted)
Size:             524288 kB
Rss:               90000 kB
Pss:               60000 kB
7f0060000000-7f0080000000 rw-s 00000000 00:01 1025                       /memfd:vireo-ram (deleted)
Size:             524288 kB
Rss:               60000 kB
Pss:               30000 kB
`;
  assert.deepEqual(splitResident(parseSmaps(engine), 512), {
    guestRam: { pssKib: 90000 },
    aboveGuestRam: { rssKib: 45000, pssKib: 45000 },
  });
});

test('a process without guest RAM is not taken for a VM', () => {
  assert.equal(splitResident(parseSmaps(SMAPS), 2048), undefined);
  assert.equal(splitResident([], 1), undefined);
});

test("this process's own", () => {
  const mappings = parseSmaps(readFileSync('/proc/self/smaps', 'utf8'));
  assert.ok(mappings.some(({ name, rssKib }) => name.includes('node') && rssKib > 0));
  assert.ok(mappings.every(({ sizeKib, rssKib, pssKib }) => sizeKib >= rssKib && rssKib >= pssKib));
});

test('any text is some mappings, and never an error', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.constantFrom(...SMAPS.split('\n')))), (lines) => {
      for (const { sizeKib, rssKib, pssKib } of parseSmaps(lines.join('\n')))
        assert.ok(sizeKib >= 0 && rssKib >= 0 && pssKib >= 0);
    }),
  );
});
