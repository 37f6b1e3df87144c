import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { HostError } from '@vireo/linux';
import { openKvm } from './kvm.ts';

const openFiles = () => readdirSync('/proc/self/fd').length;

test('a device that is not there is a HostError that names it and what to do', () => {
  const path = '/dev/no-such-kvm';
  assert.throws(
    () => openKvm(path),
    (error) =>
      error instanceof HostError &&
      error.code === 'ENOENT' &&
      error.call === 'open' &&
      error.subject === path &&
      error.advice !== undefined,
  );
});

test('a device that is no KVM is refused, and not kept open', () => {
  const before = openFiles();
  assert.throws(
    () => openKvm('/dev/null'),
    (error) =>
      error instanceof HostError && error.code === 'ENOTTY' && error.subject === 'KVM_GET_API_VERSION',
  );
  assert.equal(openFiles(), before);
});
