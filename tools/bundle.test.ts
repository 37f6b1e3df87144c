import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fingerprint, prelude } from './bundle.ts';

describe('the bundle', () => {
  const root = mkdtempSync(join(tmpdir(), 'vireo-bundle-'));
  after(() => rmSync(root, { recursive: true }));
  const source = join(root, 'packages/cli/src/start.ts');
  const other = join(root, 'packages/vmm/src/other.ts');

  const make = () => {
    for (const directory of ['cli/src', 'cli/gen', 'vmm/src'])
      mkdirSync(join(root, 'packages', directory), { recursive: true });
    writeFileSync(source, `console.log('source');`);
    writeFileSync(other, '1;');
    writeFileSync(join(root, 'packages/cli/gen/start.cjs'), `console.log('bundle');`);
    const sources = fingerprint(['packages/cli/src/start.ts', 'packages/vmm/src/other.ts'], root);
    writeFileSync(join(root, 'packages/cli/gen/vireo.cjs'), prelude(sources));
  };
  const runs = () => {
    const main = join(root, 'packages/cli/gen/vireo.cjs');
    return spawnSync(process.execPath, [main], { encoding: 'utf8' }).stdout.trim();
  };

  test('runs while its sources are as they were', () => {
    make();
    assert.equal(runs(), 'bundle');
  });

  test('gives way when a source has another size, another time, or is gone', () => {
    make();
    writeFileSync(other, '12;');
    assert.equal(runs(), 'source');
    make();
    utimesSync(other, 1, 1);
    assert.equal(runs(), 'source');
    make();
    rmSync(other);
    assert.equal(runs(), 'source');
  });
});
