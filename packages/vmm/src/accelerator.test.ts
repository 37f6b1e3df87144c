import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { VcpuExit } from '@vireo/hypervisor';
import { FakeHypervisor } from '@vireo/kvm/testing/fake-hypervisor';
import { HostError } from '@vireo/linux';
import { type Accelerators, openAccelerator, probeEngine, probeKvm } from './accelerator.ts';

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

const engine = new FakeHypervisor(() => HLT);
const ENGINE: Pick<Accelerators, 'engine'> = { engine: async () => engine.hypervisor };

describe('opening the accelerator', () => {
  test("'auto' takes a KVM that can run kernels, and keeps it open", async () => {
    const fake = new FakeHypervisor(() => HLT);
    assert.equal(
      await openAccelerator('auto', undefined, { ...ENGINE, kvm: () => fake.hypervisor }),
      fake.hypervisor,
    );
    assert.deepEqual(fake.open, { hypervisors: 1, vms: 0, handles: 0, vcpus: 0 });
  });

  test("'auto' takes the engine where KVM cannot, says what that lacks, and lets go of it", async () => {
    const fake = new FakeHypervisor(() => UNABLE);
    const notices: string[] = [];
    assert.equal(
      await openAccelerator('auto', (line) => notices.push(line), { ...ENGINE, kvm: () => fake.hypervisor }),
      engine.hypervisor,
    );
    assert.match(notices.join(), /^this host's KVM .* lacks 64-bit mode, SSE2, CMPXCHG16B, so Vireo's own/);
    assert.equal(fake.open.hypervisors, 0);
  });

  test("'kvm' takes it at its word: nothing runs", async () => {
    const fake = new FakeHypervisor(() => assert.fail('ran'));
    assert.equal(
      await openAccelerator('kvm', undefined, { ...ENGINE, kvm: () => fake.hypervisor }),
      fake.hypervisor,
    );
  });

  test('a probe that fails on the host lets go of it too', async () => {
    const fail = () => {
      throw new HostError('ioctl', ERRNO.EBUSY, { subject: 'KVM_RUN' });
    };
    const fake = new FakeHypervisor(fail);
    await assert.rejects(
      () => openAccelerator('auto', undefined, { ...ENGINE, kvm: () => fake.hypervisor }),
      HostError,
    );
    assert.deepEqual(fake.open, { hypervisors: 0, vms: 0, handles: 0, vcpus: 0 });
  });

  test("'wasm' takes the engine, and does not look for KVM", async () => {
    const kvm = () => assert.fail('opened');
    assert.equal(await openAccelerator('wasm', undefined, { ...ENGINE, kvm }), engine.hypervisor);
  });

  for (const [code, expected] of [
    ['ENOENT', 'kvm-missing'],
    ['ENODEV', 'kvm-missing'],
    ['ENXIO', 'kvm-missing'],
    ['EACCES', 'kvm-not-permitted'],
    ['EPERM', 'kvm-not-permitted'],
  ] as const) {
    test(`${code} is the user's to mend: ${expected}, with the cause; 'auto' takes the engine`, async () => {
      const accelerators = { ...ENGINE, kvm: refused(ERRNO[code]) };
      await assert.rejects(
        () => openAccelerator('kvm', undefined, accelerators),
        (error) => userError(expected)(error) && (error as Error).cause instanceof HostError,
      );
      const notices: string[] = [];
      assert.equal(
        await openAccelerator('auto', (line) => notices.push(line), accelerators),
        engine.hypervisor,
      );
      assert.match(notices.join(), /kvm.*so Vireo's own x86-64 engine runs the guest/i);
      assert.throws(() => probeKvm(refused(ERRNO[code])), userError(expected));
    });
  }

  test('anything else the host refuses stays a HostError, and our own bugs stay what they are', async () => {
    for (const code of ['ENOMEM', 'EMFILE', 'EBUSY'] as const)
      await assert.rejects(
        () => openAccelerator('kvm', undefined, { ...ENGINE, kvm: refused(ERRNO[code]) }),
        {
          name: 'HostError',
          code,
        },
      );
    const bug = () => {
      throw new TypeError('a bug');
    };
    await assert.rejects(() => openAccelerator('kvm', undefined, { ...ENGINE, kvm: bug }), TypeError);
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

test('the real engine passes the probe', async () => {
  assert.deepEqual(await probeEngine(), { kind: 'able' });
});
