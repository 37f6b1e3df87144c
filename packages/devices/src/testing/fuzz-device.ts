/** A guest without manners: random accesses of every size, at every offset, to one device; for tests. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { IoDevice } from '../io-device.ts';

export interface FuzzOptions {
  /** How many bytes of address space the device was given. */
  readonly lengthBytes: number;
  /** Makes a fresh device, and what else happens to it between accesses. */
  readonly make: () => { device: IoDevice; host?: (event: number) => void };
  /** Offsets worth hitting more often than the others. */
  readonly offsets?: readonly number[];
  readonly runs?: number;
}

/** Every access must return, without an exception, a value of its size. */
export function fuzzDevice(options: FuzzOptions): void {
  const anywhere = fc.nat(options.lengthBytes - 1);
  const offset = options.offsets ? fc.oneof(fc.constantFrom(...options.offsets), anywhere) : anywhere;
  const value = fc.oneof(fc.nat(0xff), fc.nat(0xffff_ffff), fc.constantFrom(0, 0xffff, 0xffff_ffff));
  const step = fc.record({
    offset,
    sizeBytes: fc.constantFrom(1, 1, 2, 4),
    action: fc.constantFrom('read' as const, 'write' as const, 'host' as const),
    value,
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { device, host } = options.make();
      for (const { offset, sizeBytes, action, value } of steps) {
        if (action === 'host') host?.(value);
        else if (action === 'write') device.write(offset, sizeBytes, value % 2 ** (8 * sizeBytes));
        else assertFits(device.read(offset, sizeBytes), sizeBytes);
      }
    }),
    { numRuns: options.runs ?? 200 },
  );
}

function assertFits(value: number, sizeBytes: number): void {
  assert.ok(Number.isInteger(value), `${value} is an integer`);
  assert.ok(value >= 0 && value < 2 ** (8 * sizeBytes), `${value} fits ${sizeBytes} bytes`);
}
