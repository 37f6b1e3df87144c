import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AcpiPmTimer } from './acpi-pm-timer.ts';
import { fuzzDevice } from './testing/fuzz-device.ts';

test('§4.8.3.1: counts at 3.579545 MHz and wraps at 32 bits', () => {
  let nowNs = 0n;
  const timer = new AcpiPmTimer(() => nowNs);
  assert.equal(timer.read(0, 4), 0);
  nowNs = 1_000_000_000n;
  assert.equal(timer.read(0, 4), 3_579_545);
  nowNs = 100n * 365n * 86_400n * 1_000_000_000n;
  assert.equal(timer.read(0, 4), Number(BigInt.asUintN(32, 100n * 365n * 86_400n * 3_579_545n)));
});

test('narrow reads give the bytes of the counter, and writes do nothing', () => {
  const timer = new AcpiPmTimer(() => 1_000_000_000n);
  timer.write();
  const bytes = [0, 1, 2, 3].map((offset) => timer.read(offset, 1));
  assert.deepEqual(bytes, [0x99, 0x9e, 0x36, 0x00]); // 3,579,545
});

test('fuzz: no access throws or answers more than its size', () => {
  let nowNs = 0n;
  fuzzDevice({
    lengthBytes: 4,
    make: () => ({
      device: new AcpiPmTimer(() => nowNs),
      host: (event) => {
        nowNs += BigInt(event) * 1000n;
      },
    }),
  });
});
