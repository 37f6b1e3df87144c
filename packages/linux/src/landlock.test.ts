import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { landlockAbi } from './landlock.ts';

test('landlockAbi is a version, and above 0 exactly where the kernel lists landlock among its modules', (t) => {
  const abi = landlockAbi();
  assert.ok(Number.isInteger(abi) && abi >= 0 && abi < 100, `${abi}`);
  let modules: string;
  try {
    modules = readFileSync('/sys/kernel/security/lsm', 'utf8');
  } catch {
    t.diagnostic('securityfs is not mounted, so there is no list to compare with');
    return;
  }
  assert.equal(abi > 0, modules.split(',').includes('landlock'));
});
