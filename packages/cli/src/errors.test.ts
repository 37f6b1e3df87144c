import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { UserError } from '@vireo/errors';
import { HostError } from '@vireo/linux';
import { explain } from './errors.ts';

describe('explain', () => {
  test('a mistake of the user: the sentence and the fix, status 2', () => {
    assert.deepEqual(explain(new UserError('code', 'the kernel is none', 'Name another.')), {
      line: 'the kernel is none. Name another.',
      exitStatus: 2,
    });
  });

  test('a refusal of the host: the call, what it says, and the advice, status 1', () => {
    const error = new HostError('open', 13, { subject: '/dev/kvm', advice: 'Join the group kvm.' });
    assert.deepEqual(explain(error), {
      line: 'open /dev/kvm: permission denied (EACCES). Join the group kvm.',
      exitStatus: 1,
    });
  });

  test("errors of Node's own system calls are the host's, too", () => {
    try {
      readFileSync('/nonexistent/file');
      assert.fail();
    } catch (error) {
      assert.equal(explain(error).exitStatus, 1);
      assert.match(explain(error).line, /^ENOENT: no such file or directory, open '\/nonexistent\/file'\.$/);
    }
  });

  test('all else is a bug: says so, and where', () => {
    const { line, exitStatus } = explain(new TypeError('x is not a function'));
    assert.equal(exitStatus, 1);
    assert.match(
      line,
      /^this is a bug in Vireo: x is not a function \(at packages\/cli\/src\/errors\.test\.ts:\d+:\d+\)\. Please report/,
    );
    assert.match(explain('a thrown string').line, /^this is a bug in Vireo: a thrown string\. Please/);
  });

  test('one line, whatever is in the message', () => {
    assert.equal(explain(new UserError('code', 'two\n  lines', 'And\na fix')).line, 'two lines. And a fix.');
  });
});
