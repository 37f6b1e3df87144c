import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assemblyModules, buildAssembly } from './build-assembly.ts';

test('every module compiles to the same bytes twice, and keeps nothing in memory', async () => {
  const names = assemblyModules();
  assert.deepEqual(names, ['float80', 'memory-unit']);
  for (const name of names) {
    const bytes = await buildAssembly(name);
    assert.deepEqual(await buildAssembly(name), bytes);
    assert.deepEqual(
      [...sectionsOf(bytes)].filter((id) => id === DATA_SECTION || id === START_SECTION),
      [],
    );
  }
});

test('float80 imports nothing but memory', async () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  // Another import, missing here, would be an error.
  assert.ok(
    new WebAssembly.Instance(new WebAssembly.Module(await buildAssembly('float80')), { env: { memory } }),
  );
});

test('a module that is not there is refused by name', async () => {
  await assert.rejects(buildAssembly('no-such-module'), /no-such-module/);
});

const START_SECTION = 8;
const DATA_SECTION = 11;

/** Section numbers: WebAssembly Core Specification 2.0 §5.5.2 "Sections". */
function* sectionsOf(bytes: Uint8Array): Generator<number> {
  for (let offset = 8; offset < bytes.length; ) {
    yield bytes[offset++]!;
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[offset++]!;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    offset += length;
  }
}
