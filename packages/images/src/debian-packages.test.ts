import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { debianPackages, packageNamed } from './debian-packages.ts';

/** Nothing listens on the discard port. */
const NO_NETWORK = 'http://127.0.0.1:9';
const REQUEST = { names: ['busybox-static'], keep: (name: string) => name === 'busybox-static' };

const { XDG_CACHE_HOME, http_proxy, https_proxy } = process.env;
let cache = '';
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'vireo-test-'));
  process.env['XDG_CACHE_HOME'] = cache;
});
afterEach(() => {
  rmSync(cache, { recursive: true });
  for (const [name, value] of Object.entries({ XDG_CACHE_HOME, http_proxy, https_proxy })) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

function cutNetwork(): void {
  process.env['http_proxy'] = NO_NETWORK;
  process.env['https_proxy'] = NO_NETWORK;
}

test('packages are fetched once; later neither the network nor apt is needed', async () => {
  const seen = new Set<string>();
  const fetched = await debianPackages({ ...REQUEST, progress: (_done, _total, what) => seen.add(what) });
  const busybox = packageNamed(fetched, 'busybox-static');
  assert.ok(existsSync(join(busybox.directory, 'bin/busybox')));
  assert.match(busybox.version, /^1:1\.35/);
  assert.ok(seen.has('fetching Debian packages') && seen.has('unpacking Debian packages'));

  cutNetwork();
  assert.deepEqual(await debianPackages({ ...REQUEST, progress: () => assert.fail('not cached') }), fetched);
  const leftovers = readdirSync(join(cache, 'vireo/packages')).filter((name) => name.startsWith('.'));
  assert.deepEqual(leftovers, []);
});

test('without a network, one sentence says so', async () => {
  cutNetwork();
  await assert.rejects(debianPackages(REQUEST), {
    name: 'UserError',
    code: 'debian-unreachable',
    message: /^apt-get could not fetch Debian's packages: [^\n]+$/,
  });
});
