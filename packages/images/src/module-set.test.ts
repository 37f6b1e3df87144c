import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { modulesAlias, modulesDep, selectModules } from './module-set.ts';
import { moduleFile } from './testing/module-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'vireo-test-'));
after(() => rmSync(directory, { recursive: true }));

mkdirSync(join(directory, 'kernel'));
const place = (file: string, depends: string, alias: string[] = []) =>
  writeFileSync(join(directory, 'kernel', file), moduleFile({ name: file.slice(0, -3), depends, alias }));
place('virtio_ring.ko', '');
place('virtio.ko', 'virtio_ring');
place('virtio_pci.ko', 'virtio_ring,virtio', ['pci:v00001AF4d*']);
place('virtio-rng.ko', 'virtio', ['virtio:d00000004v*']);

test('a module comes after those it needs, and once', () => {
  const names = selectModules(directory, ['virtio_pci', 'virtio_rng']).map(({ name }) => name);
  assert.deepEqual(names, ['virtio_ring', 'virtio', 'virtio_pci', 'virtio_rng']);
});

test('modules.dep lists what is loaded first last, as modprobe expects', () => {
  assert.equal(
    modulesDep(selectModules(directory, ['virtio_pci', 'virtio_rng'])),
    [
      'kernel/virtio_ring.ko:',
      'kernel/virtio.ko: kernel/virtio_ring.ko',
      'kernel/virtio_pci.ko: kernel/virtio.ko kernel/virtio_ring.ko',
      'kernel/virtio-rng.ko: kernel/virtio.ko kernel/virtio_ring.ko',
      '',
    ].join('\n'),
  );
});

test('modules.alias names the module of each device', () => {
  assert.equal(
    modulesAlias(selectModules(directory, ['virtio_pci', 'virtio-rng'])),
    'alias pci:v00001AF4d* virtio_pci\nalias virtio:d00000004v* virtio_rng\n',
  );
});

test('a module that the package lacks is named', () => {
  assert.throws(() => selectModules(directory, ['e1000']), {
    name: 'UserError',
    code: 'module-missing',
    message: /e1000/,
  });
});
