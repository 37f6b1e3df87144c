import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Bus } from './bus.ts';
import type { IoDevice } from './io-device.ts';

/** Bytes that read back what was written, in every size. */
class Scratch implements IoDevice {
  readonly name: string;
  readonly bytes: Uint8Array;

  constructor(name: string, lengthBytes: number) {
    this.name = name;
    this.bytes = new Uint8Array(lengthBytes);
  }

  read(offset: number, sizeBytes: number): number {
    assert.ok(offset >= 0 && offset + sizeBytes <= this.bytes.length, 'inside the device');
    let value = 0;
    for (let i = 0; i < sizeBytes; i++) value += this.bytes[offset + i]! * 2 ** (8 * i);
    return value;
  }

  write(offset: number, sizeBytes: number, value: number): void {
    assert.ok(offset >= 0 && offset + sizeBytes <= this.bytes.length, 'inside the device');
    for (let i = 0; i < sizeBytes; i++) this.bytes[offset + i] = Math.floor(value / 2 ** (8 * i));
  }
}

test('an access reaches the device that owns the address', () => {
  const bus = new Bus('ports');
  const low = new Scratch('low', 8);
  const high = new Scratch('high', 8);
  bus.attach(0x3f8, 8, high);
  bus.attach(0x2f8, 8, low);
  bus.write(0x2f9, 1, 0x11);
  bus.write(0x3fc, 4, 0xaabbccdd);
  assert.equal(low.bytes[1], 0x11);
  assert.equal(bus.read(0x3fc, 4), 0xaabbccdd);
  assert.equal(bus.read(0x3fd, 1), 0xcc);
  assert.deepEqual(bus.find(0x3ff), { device: high, base: 0x3f8, lengthBytes: 8 });
});

test('where nothing answers reads are all ones of their size and writes are ignored', () => {
  const bus = new Bus('ports');
  bus.write(0x80, 1, 7);
  assert.deepEqual(
    [1, 2, 3, 4].map((size) => bus.read(0x80, size)),
    [0xff, 0xffff, 0xffffff, 0xffffffff],
  );
  assert.equal(bus.has(0x80), false);
  assert.equal(bus.find(0x80), undefined);
});

test('an access across the end of a device is cut into bytes', () => {
  const bus = new Bus('memory');
  const left = new Scratch('left', 4);
  const right = new Scratch('right', 4);
  bus.attach(0x1000, 4, left);
  bus.attach(0x1004, 4, right);
  bus.write(0x1002, 4, 0x44332211);
  assert.deepEqual([...left.bytes], [0, 0, 0x11, 0x22]);
  assert.deepEqual([...right.bytes], [0x33, 0x44, 0, 0]);
  assert.equal(bus.read(0x1006, 4), 0xffff0000);
  assert.equal(bus.read(0xffe, 4), 0x0000ffff);
});

test('overlapping and empty ranges are refused, and name both devices', () => {
  const bus = new Bus('ports');
  bus.attach(0x60, 5, new Scratch('i8042', 5));
  const extra = new Scratch('extra', 8);
  for (const [base, length] of [
    [0x5f, 2],
    [0x64, 1],
    [0x60, 5],
    [0x50, 0x100],
  ] as const) {
    assert.throws(() => bus.attach(base, length, extra), /extra at .* overlaps i8042/);
  }
  for (const [base, length] of [
    [-1, 2],
    [0, 0],
    [Number.MAX_SAFE_INTEGER, 2],
    [Number.NaN, 1],
  ] as const) {
    assert.throws(() => bus.attach(base, length, extra), RangeError);
  }
  bus.attach(0x5f, 1, extra);
  bus.attach(0x65, 1, extra);
});

test('a detached device no longer answers', () => {
  const bus = new Bus('memory');
  bus.attach(0xfe00_0000, 0x1000, new Scratch('bar', 0x1000));
  bus.read(0xfe00_0000, 4);
  assert.equal(bus.detach(0xfe00_0000), true);
  assert.equal(bus.detach(0xfe00_0000), false);
  assert.equal(bus.read(0xfe00_0000, 4), 0xffffffff);
});

test('property: any access behaves as one byte array with holes of ones', () => {
  const access = fc.record({
    address: fc.integer({ min: 0, max: 80 }),
    sizeBytes: fc.constantFrom(1, 2, 3, 4),
    value: fc.option(fc.nat(0xffff_ffff)),
  });
  fc.assert(
    fc.property(fc.array(access, { maxLength: 60 }), (accesses) => {
      const bus = new Bus('model');
      const model = new Uint8Array(96).fill(0xff);
      const owned = new Set<number>();
      for (const [base, length] of [
        [4, 8],
        [12, 3],
        [20, 16],
        [64, 1],
      ] as const) {
        bus.attach(base, length, new Scratch(`at ${base}`, length));
        model.fill(0, base, base + length);
        for (let i = base; i < base + length; i++) owned.add(i);
      }
      for (const { address, sizeBytes, value } of accesses) {
        if (value !== null) {
          bus.write(address, sizeBytes, value);
          for (let i = 0; i < sizeBytes; i++) {
            if (owned.has(address + i)) model[address + i] = Math.floor(value / 2 ** (8 * i));
          }
        }
        let expected = 0;
        for (let i = 0; i < sizeBytes; i++) expected += model[address + i]! * 2 ** (8 * i);
        assert.equal(bus.read(address, sizeBytes), expected);
      }
    }),
  );
});
