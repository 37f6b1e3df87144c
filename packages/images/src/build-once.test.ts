import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildOnce } from './build-once.ts';
import { endHolder, startHolder } from './testing/holder.ts';

let directory = '';
let entry = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vireo-test-'));
  entry = join(directory, 'entry');
});
afterEach(() => rmSync(directory, { recursive: true }));

const build = async (building: string) => writeFileSync(join(building, 'file'), '');

test('an entry is built once, however many ask at the same time', async () => {
  let builds = 0;
  const slowBuild = async (building: string) => {
    builds += 1;
    await sleep(20);
    await build(building);
  };
  await Promise.all([buildOnce(entry, slowBuild), buildOnce(entry, slowBuild)]);
  await buildOnce(entry, slowBuild);
  assert.equal(builds, 1);
  assert.deepEqual(readdirSync(directory), ['entry']);
});

test('nothing has the final name before it is whole, and a failed build leaves nothing', async () => {
  const failing = async (building: string) => {
    await build(building);
    assert.equal(existsSync(entry), false);
    throw new Error('disk full');
  };
  await assert.rejects(buildOnce(entry, failing), /disk full/);
  assert.deepEqual(readdirSync(directory), []);
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`${signal} ends a build, and nothing is left`, async () => {
    assert.equal(await endHolder(await startHolder('build', entry), signal), signal);
    assert.deepEqual(readdirSync(directory), []);
    await buildOnce(entry, build);
    assert.deepEqual(readdirSync(directory), ['entry']);
  });
}

test('what a killed build left is removed by the next one', async () => {
  await endHolder(await startHolder('build', entry), 'SIGKILL');
  assert.equal(readdirSync(directory).length, 2);
  await buildOnce(entry, build);
  assert.deepEqual(readdirSync(directory), ['entry']);
});

test('what cannot be kept is not built: the directory and the way out are named', async () => {
  writeFileSync(join(directory, 'no-directory'), '');
  const building = buildOnce(join(directory, 'no-directory/entry'), () => assert.fail('was built'));
  await assert.rejects(building, { name: 'UserError', code: 'cache-not-writable', fix: /XDG_CACHE_HOME/ });
});
