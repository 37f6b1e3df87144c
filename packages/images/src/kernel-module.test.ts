import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readModuleInfo } from './kernel-module.ts';
import { moduleFile } from './testing/module-file.ts';

const VIRTIO_NET = moduleFile({
  license: 'GPL',
  alias: ['virtio:d00000001v*', 'virtio-net'],
  depends: 'virtio,net-failover',
  name: 'virtio-net',
});

test('name, dependencies and aliases, with underscores in names only', () => {
  assert.deepEqual(readModuleInfo(VIRTIO_NET), {
    name: 'virtio_net',
    depends: ['virtio', 'net_failover'],
    aliases: ['virtio:d00000001v*', 'virtio-net'],
  });
});

test('a module that needs no other', () => {
  assert.deepEqual(readModuleInfo(moduleFile({ depends: '', name: 'button' })).depends, []);
});

test('what is no module is refused', () => {
  const refused = { name: 'RangeError' };
  assert.throws(() => readModuleInfo(new Uint8Array()), refused);
  assert.throws(() => readModuleInfo(new Uint8Array(4096)), refused);
  assert.throws(() => readModuleInfo(VIRTIO_NET.subarray(0, 100)), refused);
  assert.throws(() => readModuleInfo(moduleFile({ license: 'GPL' })), refused);
});

test('damaged files are read or refused, and nothing else', () => {
  const damage = fc.array(fc.tuple(fc.nat(VIRTIO_NET.length - 1), fc.nat(255)), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(damage, (changes) => {
      const bytes = Uint8Array.from(VIRTIO_NET);
      for (const [offset, value] of changes) bytes[offset] = value;
      try {
        readModuleInfo(bytes);
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
