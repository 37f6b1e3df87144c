import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { MemoryBacking } from './backing.ts';
import { DirtyLog, PAGE_SIZE_BYTES } from './dirty-log.ts';
import { GuestAddressError, GuestMemory, type MemoryRegion } from './guest-memory.ts';

const HIGH = 2 ** 32;
const MAX_GPA = 2 ** 52 - 1;

function backing(sizeBytes: number, shared = false): MemoryBacking {
  const buffer = shared ? new SharedArrayBuffer(sizeBytes) : new ArrayBuffer(sizeBytes);
  return { fd: -1, fdOffset: 0, hva: 0x7f00_0000_0000, sizeBytes, buffer };
}

function region(gpa: number, sizeBytes: number, backing: MemoryBacking, backingOffset = 0): MemoryRegion {
  return { gpa, sizeBytes, backing, backingOffset, readonly: false };
}

/** As a PC has it, in small: RAM from 0, a hole, RAM above 4 GiB, both from one backing. */
function splitMemory(shared = false) {
  const host = backing(0x3000, shared);
  const memory = new GuestMemory([region(HIGH, 0x1000, host, 0x2000), region(0, 0x2000, host)]);
  return { memory, bytes: new Uint8Array(host.buffer) };
}

/** Where a guest physical address is in the backing of `splitMemory`; undefined where there is no memory. */
function offsetOf(gpa: number, lengthBytes: number): number | undefined {
  if (gpa >= 0 && gpa + lengthBytes <= 0x2000) return gpa;
  if (gpa >= HIGH && gpa + lengthBytes <= HIGH + 0x1000) return 0x2000 + gpa - HIGH;
  return undefined;
}

/** Addresses around every border, and anywhere. */
const GPA = fc.oneof(
  fc.nat(0x3000),
  fc.integer({ min: HIGH - 16, max: HIGH + 0x1010 }),
  fc.integer({ min: 0x1ff0, max: 0x2010 }),
  fc.maxSafeInteger().map((n) => Math.abs(n) % (MAX_GPA + 1)),
);

const OPERATION = fc.oneof(
  fc.record({ kind: fc.constant('bytes' as const), gpa: GPA, bytes: fc.uint8Array({ maxLength: 40 }) }),
  fc.record({
    kind: fc.constant('number' as const),
    gpa: GPA,
    width: fc.constantFrom(1 as const, 2 as const, 4 as const),
    value: fc.nat(2 ** 31 - 1).map((n) => n * 2),
  }),
  fc.record({
    kind: fc.constant('u64' as const),
    gpa: GPA,
    value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  }),
  fc.record({ kind: fc.constant('fill' as const), gpa: GPA, length: fc.nat(100), value: fc.nat(255) }),
);
type Operation = typeof OPERATION extends fc.Arbitrary<infer T> ? T : never;

const READ = { 1: 'readU8', 2: 'readU16', 4: 'readU32' } as const;
const WRITE = { 1: 'writeU8', 2: 'writeU16', 4: 'writeU32' } as const;

/** What the operation writes: the model. */
function bytesOf(operation: Operation): Uint8Array {
  switch (operation.kind) {
    case 'bytes':
      return operation.bytes;
    case 'fill':
      return new Uint8Array(operation.length).fill(operation.value);
    case 'u64':
      return new Uint8Array(BigUint64Array.of(operation.value).buffer);
    case 'number':
      return new Uint8Array(Uint32Array.of(operation.value).buffer).subarray(0, operation.width);
  }
}

function apply(memory: GuestMemory, operation: Operation): void {
  const { gpa } = operation;
  if (operation.kind === 'bytes') memory.write(gpa, operation.bytes);
  else if (operation.kind === 'fill') memory.fill(gpa, operation.length, operation.value);
  else if (operation.kind === 'u64') memory.writeU64(gpa, operation.value);
  else memory[WRITE[operation.width]](gpa, operation.value % 2 ** (8 * operation.width));
}

describe('guest memory', () => {
  for (const shared of [false, true]) {
    test(`writes what a flat model says, and nothing else (${shared ? 'shared' : 'plain'} buffer)`, () => {
      fc.assert(
        fc.property(fc.array(OPERATION, { maxLength: 30 }), (operations) => {
          const { memory, bytes } = splitMemory(shared);
          const model = new Uint8Array(bytes.length);
          for (const operation of operations) {
            const written = bytesOf(operation);
            const offset = offsetOf(operation.gpa, written.length);
            if (offset === undefined) assert.throws(() => apply(memory, operation), GuestAddressError);
            else {
              apply(memory, operation);
              model.set(written, offset);
            }
          }
          assert.deepEqual(bytes, model);
        }),
      );
    });
  }

  test('reads little-endian and unsigned, wherever the address is and however it is aligned', () => {
    const { memory, bytes } = splitMemory();
    for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 7 + (i >> 8)) | 0x80;
    fc.assert(
      fc.property(GPA, fc.constantFrom(1 as const, 2 as const, 4 as const), (gpa, width) => {
        const offset = offsetOf(gpa, width);
        if (offset === undefined) return assert.throws(() => memory[READ[width]](gpa), GuestAddressError);
        const expected = Buffer.from(bytes).readUIntLE(offset, width);
        assert.equal(memory[READ[width]](gpa), expected);
      }),
    );
    fc.assert(
      fc.property(GPA, (gpa) => {
        const offset = offsetOf(gpa, 8);
        if (offset === undefined) return assert.throws(() => memory.readU64(gpa), GuestAddressError);
        assert.equal(memory.readU64(gpa), Buffer.from(bytes).readBigUInt64LE(offset));
      }),
    );
  });

  test('the try accessors answer for addresses outside memory, and touch nothing', () => {
    const { memory, bytes } = splitMemory();
    fc.assert(
      fc.property(GPA, fc.nat(64), (gpa, length) => {
        const offset = offsetOf(gpa, length);
        const target = new Uint8Array(length).fill(0xee);
        assert.equal(memory.tryRead(gpa, target), offset !== undefined);
        assert.equal(memory.contains(gpa, length), offset !== undefined);
        assert.equal(memory.tryView(gpa, length) !== undefined, offset !== undefined);
        assert.ok(target.every((byte) => byte === (offset === undefined ? 0xee : 0)));
        if (offset === undefined) assert.equal(memory.tryWrite(gpa, target), false);
      }),
    );
    assert.ok(bytes.every((byte) => byte === 0));
  });

  test('a range that starts in one region and ends in the next is in neither', () => {
    const host = backing(0x2000);
    const memory = new GuestMemory([region(0, 0x1000, host), region(0x1000, 0x1000, host, 0x1000)]);
    assert.equal(memory.contains(0xfff, 2), false);
    assert.throws(() => memory.readU16(0xfff), GuestAddressError);
    assert.equal(memory.contains(0xffe, 2), true);
  });

  test('a view is a window: it shows later writes and is not a copy', () => {
    const { memory } = splitMemory();
    const view = memory.view(HIGH + 0x10, 4);
    memory.writeU32(HIGH + 0x10, 0xdeadbeef);
    assert.deepEqual([...view], [0xef, 0xbe, 0xad, 0xde]);
    view[0] = 1;
    assert.equal(memory.readU8(HIGH + 0x10), 1);
  });

  test('host addresses follow the backing, offset included', () => {
    const { memory } = splitMemory();
    assert.equal(memory.hva(0x123, 4), 0x7f00_0000_0123);
    assert.equal(memory.hva(HIGH + 1, 0xfff), 0x7f00_0000_2001);
    assert.throws(() => memory.hva(HIGH + 1, 0x1000), GuestAddressError);
    assert.equal(memory.sizeBytes, 0x3000);
  });

  test('refuses regions that overlap, are empty or leave their backing', () => {
    const host = backing(0x2000);
    const make = (...regions: MemoryRegion[]) => new GuestMemory(regions);
    assert.throws(() => make(region(0, 0x2000, host), region(0x1fff, 1, host)), /overlap/);
    assert.throws(() => make(region(0x1000, 0x1000, host), region(0, 0x1001, host)), /overlap/);
    assert.throws(() => make(region(0, 0, host)), /empty/);
    assert.throws(() => make(region(0, -1, host)), /empty/);
    assert.throws(() => make(region(0, 0x1001, host, 0x1000)), /backing/);
  });

  test('every write through it marks its pages dirty; reads and views mark nothing', () => {
    fc.assert(
      fc.property(fc.array(OPERATION, { maxLength: 20 }), (operations) => {
        const { memory } = splitMemory();
        const low = new DirtyLog(0, 0x2000);
        const pages = new Set<number>();
        memory.dirtyLog = low;
        for (const operation of operations) {
          const { length } = bytesOf(operation);
          const offset = offsetOf(operation.gpa, length);
          if (offset === undefined) continue;
          apply(memory, operation);
          memory.tryView(operation.gpa, length);
          for (let i = 0; i < length; i++) {
            const page = Math.floor((operation.gpa + i) / PAGE_SIZE_BYTES);
            if (page < 2) pages.add(page * PAGE_SIZE_BYTES);
          }
        }
        memory.tryRead(0x1000, new Uint8Array(8));
        assert.deepEqual(
          low.take(),
          [...pages].sort((a, b) => a - b),
        );
      }),
    );
  });

  test('an error says which range', () => {
    const { memory } = splitMemory();
    assert.throws(() => memory.write(0x1fff, new Uint8Array(2)), {
      name: 'GuestAddressError',
      message: 'guest physical range 0x1fff+0x2 is not in guest memory',
      gpa: 0x1fff,
      lengthBytes: 2,
    });
  });
});
