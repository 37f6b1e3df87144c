import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hostMemory } from '@vireo/linux/host';
import type { VmConfig } from './config.ts';
import { checkAcceleratorLimits, checkAddressWidth, checkHost, MAX_CPUS } from './host-limits.ts';

const MIB = 2 ** 20;

const config = (part: Partial<VmConfig>) => ({ cpus: 1, memoryBytes: 256 * MIB, ...part }) as VmConfig;
const userError = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof Error &&
  error.name === 'UserError' &&
  (error as { code?: string }).code === code &&
  message.test(error.message);

describe('what a host has', () => {
  test('1 to 64 vCPUs are possible, whole ones', () => {
    for (const cpus of [1, 2, MAX_CPUS]) checkHost(config({ cpus }));
    for (const cpus of [0, -1, 65, 1.5, Number.NaN, Infinity])
      assert.throws(() => checkHost(config({ cpus })), userError('bad-cpus', /1 to 64 vCPUs/));
  });

  test('memory may be as much as RAM and swap together', () => {
    const { totalBytes, swapFreeBytes } = hostMemory();
    const limitMib = Math.floor((totalBytes + swapFreeBytes) / MIB);
    checkHost(config({ memoryBytes: Math.floor(totalBytes / MIB) * MIB }));
    // Swap may be taken meanwhile, so leave room on both sides of the limit.
    const tooMuch = (limitMib + 1024) * MIB;
    assert.throws(
      () => checkHost(config({ memoryBytes: tooMuch })),
      userError('too-much-memory', new RegExp(`${limitMib + 1024} MiB of guest memory .* \\(\\d+ MiB\\)`)),
    );
    assert.throws(() => checkHost(config({ memoryBytes: 2 ** 50 })), userError('too-much-memory', /MiB/));
  });
});

test('what the accelerator has', () => {
  const capabilities = (maxVcpus: number) =>
    ({ name: 'kvm', capabilities: { maxVcpus, maxMemoryBytes: null } }) as Parameters<
      typeof checkAcceleratorLimits
    >[1];
  checkAcceleratorLimits(config({ cpus: 16 }), capabilities(16));
  assert.throws(
    () => checkAcceleratorLimits(config({ cpus: 17 }), capabilities(16)),
    userError('too-many-cpus', /at most 16 vCPUs, not 17/),
  );
});

test('what the processor can address', () => {
  const GIB = 2 ** 30;
  checkAddressWidth(63 * GIB, 36);
  checkAddressWidth(1023 * GIB, 40);
  assert.throws(
    () => checkAddressWidth(63 * GIB + MIB, 36),
    userError('memory-beyond-addresses', /36 bits of guest memory, too few for 64513 MiB/),
  );
});
