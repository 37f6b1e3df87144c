import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

test('npm run check: format, lint, layers and types', () => {
  const { status, stdout } = spawnSync(process.execPath, [join(import.meta.dirname, 'check.ts')], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stdout);
});
