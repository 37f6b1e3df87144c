import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { errorName, HostError, ioctlValue, mmap, tgkill, tryIoctlValue } from './index.ts';

function hostErrorOf(action: () => unknown): HostError {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof HostError, String(error));
    return error;
  }
  return assert.fail('nothing was thrown');
}

test('says the call, its subject, the description and the name of the error', () => {
  const error = new HostError('open', 13, { subject: '/dev/kvm', advice: 'Join the group kvm.' });
  assert.equal(error.message, 'open /dev/kvm: permission denied (EACCES)');
  assert.deepEqual(
    [error.call, error.errno, error.code, error.advice],
    ['open', 13, 'EACCES', 'Join the group kvm.'],
  );
});

test('takes errno from the call that failed', () => {
  const closedFd = openSync('/dev/null', 'r');
  closeSync(closedFd);
  assert.equal(hostErrorOf(() => ioctlValue(closedFd, 0xae00, 0, 'KVM_GET_API_VERSION')).code, 'EBADF');
  assert.equal(hostErrorOf(() => mmap({ lengthBytes: 0 })).code, 'EINVAL');
  assert.equal(hostErrorOf(() => mmap({ lengthBytes: 2 ** 48 })).code, 'ENOMEM');
  assert.equal(hostErrorOf(() => tgkill(0x7fff_ffff, 0)).code, 'ESRCH');
  assert.equal(tryIoctlValue(closedFd, 0xae00, 0), -9);
});

test('turns errors of node:fs into HostErrors, with their path', () => {
  const error = hostErrorOf(() => {
    try {
      openSync('/nonexistent/disk.img', 'r');
    } catch (cause) {
      throw HostError.from(cause);
    }
  });
  assert.equal(error.message, 'open /nonexistent/disk.img: no such file or directory (ENOENT)');
  assert.throws(() => HostError.from(new TypeError('a bug')), TypeError);
});

test('names numbers that Node does not know by number', () => {
  assert.equal(errorName(2), 'ENOENT');
  assert.equal(errorName(3999), 'errno 3999');
  assert.equal(new HostError('ioctl', 3999).message, 'ioctl: unknown error (errno 3999)');
});
