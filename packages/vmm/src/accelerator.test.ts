import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { VcpuExit } from '@vireo/hypervisor';
import { FakeHypervisor } from '@vireo/kvm/testing/fake-hypervisor';
import { HostError } from '@vireo/linux';
import { openAccelerator, probeKvm } from './accelerator.ts';

const ERRNO = { EPERM: 1, ENOENT: 2, ENXIO: 6, ENOMEM: 12, EACCES: 13, EBUSY: 16, ENODEV: 19, EMFILE: 24 };

const HLT: VcpuExit = { kind: 'hlt' };
const UNABLE: VcpuExit = {
  kind: 'internal-error',
  suberror: 1,
  detail: [],
  instructionBytes: new Uint8Array(),
};

const userError = (code: string) => (error: unknown) =>
  error instanceof Error && error.name === 'UserError' && (error as { code?: string }).code === code;

function refused(errno: number) {
  return (): never => {
    throw new HostError('open', errno, { subject: '/dev/kvm' });
  };
}

describe('opening the accelerator', () => {
  test("'auto' takes a KVM that can run kernels, and keeps it open", () => {
    const fake = new FakeHypervisor(() => HLT);
    assert.equal(
      openAccelerator('auto', () => fake.hypervisor),
      fake.hypervisor,
    );
    assert.deepEqual(fake.open, { hypervisors: 1, vms: 0, handles: 0, vcpus: 0 });
  });

  test("'auto' refuses one that cannot, says what it lacks, and lets go of it", () => {
    const fake = new FakeHypervisor(() => UNABLE);
    assert.throws(
      () => openAccelerator('auto', () => fake.hypervisor),
      (error) => userError('kvm-unable')(error) && /lacks 64-bit mode, SSE2, CMPXCHG16B/.test(String(error)),
    );
    assert.equal(fake.open.hypervisors, 0);
  });

  test("'kvm' takes it at its word: nothing runs", () => {
    const fake = new FakeHypervisor(() => assert.fail('ran'));
    assert.equal(
      openAccelerator('kvm', () => fake.hypervisor),
      fake.hypervisor,
    );
  });

  test('a probe that fails on the host lets go of it too', () => {
    const fail = () => {
      throw new HostError('ioctl', ERRNO.EBUSY, { subject: 'KVM_RUN' });
    };
    const fake = new FakeHypervisor(fail);
    assert.throws(() => openAccelerator('auto', () => fake.hypervisor), HostError);
    assert.deepEqual(fake.open, { hypervisors: 0, vms: 0, handles: 0, vcpus: 0 });
  });

  test('the engine of our own is not there yet', () => {
    assert.throws(() => openAccelerator('wasm'), userError('accelerator-not-available'));
  });

  for (const [code, expected] of [
    ['ENOENT', 'kvm-missing'],
    ['ENODEV', 'kvm-missing'],
    ['ENXIO', 'kvm-missing'],
    ['EACCES', 'kvm-not-permitted'],
    ['EPERM', 'kvm-not-permitted'],
  ] as const) {
    test(`${code} is the user's to mend: ${expected}, with the cause`, () => {
      for (const accelerator of ['auto', 'kvm'] as const) {
        assert.throws(
          () => openAccelerator(accelerator, refused(ERRNO[code])),
          (error) => userError(expected)(error) && (error as Error).cause instanceof HostError,
        );
      }
      assert.throws(() => probeKvm(refused(ERRNO[code])), userError(expected));
    });
  }

  test('anything else the host refuses stays a HostError, and our own bugs stay what they are', () => {
    for (const code of ['ENOMEM', 'EMFILE', 'EBUSY'] as const)
      assert.throws(() => openAccelerator('kvm', refused(ERRNO[code])), { name: 'HostError', code });
    const bug = () => {
      throw new TypeError('a bug');
    };
    assert.throws(() => openAccelerator('kvm', bug), TypeError);
  });
});

describe('probing for others', () => {
  test('gives the result and lets go of KVM', () => {
    for (const exit of [HLT, UNABLE]) {
      const fake = new FakeHypervisor(() => exit);
      assert.equal(probeKvm(() => fake.hypervisor).kind, exit === HLT ? 'able' : 'unable');
      assert.deepEqual(fake.open, { hypervisors: 0, vms: 0, handles: 0, vcpus: 0 });
    }
  });
});
