import assert from 'node:assert/strict';
import { availableParallelism, totalmem } from 'node:os';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  groupName,
  hostMemory,
  kernelRelease,
  onlineCpuCount,
  pageSizeBytes,
  parseGroupFile,
  parseKernelRelease,
  parseMeminfo,
  processGroups,
} from './index.ts';

test('the facts agree with what Node says', () => {
  assert.equal(pageSizeBytes(), 4096);
  assert.ok(onlineCpuCount() >= availableParallelism());
  const memory = hostMemory();
  assert.equal(memory.totalBytes, totalmem());
  assert.ok(memory.availableBytes > 0 && memory.availableBytes <= memory.totalBytes);
  assert.ok(kernelRelease().major >= 4);
  assert.equal(processGroups()[0]!.gid, process.getegid!());
  assert.equal(groupName(0), 'root');
  assert.equal(groupName(0xffff_fffe), undefined);
});

test('meminfo: kilobytes and counts', () => {
  const fields = parseMeminfo('MemTotal:       24683620 kB\nHugePages_Total:      12\nbroken\nX: y kB\n');
  assert.deepEqual(
    [...fields],
    [
      ['MemTotal', 24683620 * 1024],
      ['HugePages_Total', 12],
    ],
  );
});

test('group file: the first name of a gid counts, malformed lines do not', () => {
  const groups = parseGroupFile('root:x:0:\nkvm:x:105:a,b\nalias:x:105:\nno colon\n:x:7:\nx:x:-1:\nlast::9:');
  assert.deepEqual(
    [...groups],
    [
      [0, 'root'],
      [105, 'kvm'],
      [9, 'last'],
    ],
  );
});

test('kernel releases of distributions', () => {
  assert.deepEqual(parseKernelRelease('6.1.0-37-cloud-amd64'), {
    text: '6.1.0-37-cloud-amd64',
    major: 6,
    minor: 1,
  });
  assert.equal(parseKernelRelease('10.20').minor, 20);
  assert.equal(parseKernelRelease('linux').major, 0);
});

test('the parsers take any text', () => {
  const line = fc.stringMatching(/^[a-zA-Z0-9:_ \-kB]*$/);
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(line).map((lines) => lines.join('\n')),
  );
  fc.assert(
    fc.property(text, (input) => {
      for (const value of parseMeminfo(input).values()) assert.ok(value >= 0);
      for (const [gid, name] of parseGroupFile(input)) assert.ok(gid >= 0 && name.length > 0);
      assert.ok(parseKernelRelease(input).major >= 0);
    }),
  );
});

test('a group file that was written is read back', () => {
  const name = fc.stringMatching(/^[a-z_][a-z0-9_-]{0,30}$/);
  const group = fc.tuple(fc.nat(), name, fc.array(name));
  fc.assert(
    fc.property(fc.uniqueArray(group, { selector: ([gid]) => gid }), (groups) => {
      const text = groups.map(([gid, id, members]) => `${id}:x:${gid}:${members.join(',')}\n`).join('');
      assert.deepEqual(
        [...parseGroupFile(text)],
        groups.map(([gid, id]) => [gid, id]),
      );
    }),
  );
});
