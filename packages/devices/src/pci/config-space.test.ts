import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SavedStateError } from '../saved-state.ts';
import { ConfigSpace } from './config-space.ts';

function makeSpace(): ConfigSpace {
  const space = new ConfigSpace();
  space.define(0x00, 4, 0x1234_5678);
  space.define(0x04, 2, 0x0001, { writable: 0x0547 });
  space.define(0x06, 2, 0xa010, { clearable: 0xf900 });
  return space;
}

test('§7.4: read-only bits stay, writable ones are written, write-1-to-clear ones are cleared', () => {
  const space = makeSpace();
  space.write(0x00, 4, 0xffff_ffff);
  space.write(0x04, 2, 0xfff0);
  space.write(0x06, 2, 0x2010);
  assert.equal(space.read(0x00, 4), 0x1234_5678);
  assert.equal(space.read(0x04, 4), 0x8010_0540);
  assert.equal(space.read(0x05, 1), 0x05);
});

test('the device changes what software cannot', () => {
  const space = makeSpace();
  space.update(0x06, 2, 0x0018, 0x0008);
  assert.equal(space.read(0x06, 2), 0xa008);
});

test('accesses across the end and beyond it are harmless', () => {
  const space = makeSpace();
  assert.equal(space.read(4094, 4), 0xffff_0000);
  assert.equal(space.read(1e6, 2), 0xffff);
  space.write(4094, 4, 0);
  space.write(1e6, 4, 0);
});

test('a reset brings back what was defined', () => {
  const space = makeSpace();
  space.write(0x04, 2, 0x0547);
  space.reset();
  assert.equal(space.read(0x04, 4), 0xa010_0001);
});

test('a saved space resumes; identification is not taken from the state', () => {
  const space = makeSpace();
  space.write(0x04, 4, 0x8000_0546);
  const state = JSON.parse(JSON.stringify(space.save()));
  const restored = makeSpace();
  restored.restore(state);
  assert.equal(restored.read(0x04, 4), space.read(0x04, 4));
  restored.restore({ version: 1, offsets: [0, 1], values: [0, 0] });
  assert.equal(restored.read(0, 4), 0x1234_5678);
});

test('a hostile state is refused', () => {
  const space = makeSpace();
  const hostile = [
    { version: 1, offsets: [4096], values: [0] },
    { version: 1, offsets: [0], values: [] },
    { version: 1, offsets: [0], values: [256] },
    { version: 1, offsets: 'all', values: 'none' },
    { version: 7, offsets: [], values: [] },
    null,
  ];
  for (const state of hostile) assert.throws(() => space.restore(state), SavedStateError);
});

test('property: whatever is written, saving and restoring gives the same registers', () => {
  const write = fc.tuple(fc.nat(8), fc.constantFrom(1, 2, 4), fc.nat(0xffff_ffff));
  fc.assert(
    fc.property(fc.array(write), (writes) => {
      const space = makeSpace();
      for (const [offset, sizeBytes, value] of writes) space.write(offset, sizeBytes, value);
      const restored = makeSpace();
      restored.restore(space.save());
      for (let offset = 0; offset < 12; offset++)
        assert.equal(restored.read(offset, 1), space.read(offset, 1));
    }),
  );
});
