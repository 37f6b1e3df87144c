import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseExit } from './control.ts';
import { jobScript, shellQuote } from './job.ts';
import { parseLabOptions } from './options.ts';

test('a shell takes any quoted words for what they were', () => {
  const word = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom("'", "''", '\\', '$x', '`', '\n', ''));
  const words = fc.array(
    word.map((text) => text.replaceAll('\0', '')).filter((text) => text.isWellFormed()),
    {
      minLength: 1,
      maxLength: 5,
    },
  );
  fc.assert(
    fc.property(words, (list) => {
      const script = `printf '%s\\0' ${list.map(shellQuote).join(' ')}`;
      const printed = execFileSync('sh', ['-c', script]).toString();
      assert.deepEqual(printed.split('\0').slice(0, -1), list);
    }),
    { numRuns: 50 },
  );
});

test('a job is a shell script of whole sectors that a shell can read', () => {
  const options = parseLabOptions(['node', '-e', "console.log('it''s')"]);
  assert.ok(options);
  const script = jobScript(options, '/a repository', '/a repository/packages/kvm', false);
  assert.equal(Buffer.byteLength(script) % 512, 0);
  assert.ok(script.includes("DIRECTORY='/a repository/packages/kvm'"));
  execFileSync('sh', ['-n'], { input: script });
});

test('a working directory outside the repository is not in the lab', () => {
  const options = parseLabOptions(['true']);
  assert.ok(options);
  assert.ok(jobScript(options, '/srv/repo', '/tmp', false).includes("DIRECTORY='/srv/repo'"));
  assert.ok(jobScript(options, '/srv/repo', '/srv/reposit', false).includes("DIRECTORY='/srv/repo'"));
});

test("the lab's last word is its status and what was written", () => {
  assert.deepEqual(parseExit('exit 3 1048576 0'), { status: 3, outBytes: 1048576, errBytes: 0 });
  for (const line of ['', 'started', 'exit 3', 'exit x 1 2', 'exit 3 1 2 4']) {
    assert.equal(parseExit(line), undefined);
  }
});
