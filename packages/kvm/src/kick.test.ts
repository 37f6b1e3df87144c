/** Kicks, on an ordinary memory file in the place of a vCPU's: what KVM itself does is in the conformance suite. */
import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { ftruncate, HostError, Mapping, memfdCreate } from '@vireo/linux';
import { openKick, prepareKicks } from './kick.ts';
import { openVcpu } from './kvm-vcpu.ts';
import { CStruct } from './testing/c-struct.ts';
import { CONTROL_KICKED, CONTROL_THREAD_ID, CONTROL_WORDS, type KvmVcpuSeed } from './vcpu-seed.ts';

const RUN_SIZE_BYTES = 3 * 4096;

class FakeVcpuFile implements Disposable {
  readonly seed: KvmVcpuSeed;
  readonly control: Int32Array;
  readonly run: CStruct<'kvm_run'>;
  readonly #mapping: Mapping;

  constructor() {
    const fd = memfdCreate('vcpu');
    ftruncate(fd, RUN_SIZE_BYTES);
    const control = new SharedArrayBuffer(CONTROL_WORDS * 4);
    this.control = new Int32Array(control);
    this.#mapping = Mapping.map({ fd, lengthBytes: RUN_SIZE_BYTES });
    this.run = new CStruct('kvm_run', new Uint8Array(this.#mapping.buffer));
    this.seed = {
      accelerator: 'kvm',
      id: 3,
      vmFd: fd,
      vcpuFd: fd,
      runSizeBytes: RUN_SIZE_BYTES,
      xsaveSizeBytes: 4096,
      eventSupport: { exceptionPayload: true, tripleFault: true },
      inKernelControllers: true,
      control,
    };
  }

  [Symbol.dispose](): void {
    this.#mapping.unmap();
    closeSync(this.seed.vcpuFd);
  }
}

describe('a kick', () => {
  test('interrupts the system call that the thread is in', async () => {
    using file = new FakeVcpuFile();
    prepareKicks();
    const worker = new Worker(new URL('./testing/sleeping-thread.ts', import.meta.url), {
      workerData: file.seed.control,
    });
    const kick = openKick(file.seed);
    const messages: string[] = [];
    const { promise: slept, resolve, reject } = Promise.withResolvers<void>();
    let timer: NodeJS.Timeout | undefined;
    worker.on('error', reject).on('exit', () => resolve());
    worker.on('message', (message: string) => {
      messages.push(message);
      // As long as it takes: unlike KVM_RUN, a futex does not look at the flag before it sleeps.
      if (message === 'sleeping') timer = setInterval(() => kick.kick(), 5);
      else clearInterval(timer);
    });
    await slept;
    assert.deepEqual(messages, ['sleeping', 'interrupted']);
    assert.equal(file.run.get('immediate_exit'), 1n);
    assert.equal(file.control[CONTROL_KICKED], 1);
    // The thread is gone, and its id still there: nobody to kick, and nothing to say about it.
    assert.notEqual(file.control[CONTROL_THREAD_ID], 0);
    kick.kick();
    kick.close();
  });

  test('before a thread opened the vCPU is kept for its first run', () => {
    using file = new FakeVcpuFile();
    const kick = openKick(file.seed);
    kick.kick();
    assert.equal(file.run.get('immediate_exit'), 1n);
    kick.close();
  });

  test('does nothing once closed', () => {
    using file = new FakeVcpuFile();
    const kick = openKick(file.seed);
    kick.close();
    kick.kick();
    assert.equal(file.run.get('immediate_exit'), 0n);
    assert.equal(file.control[CONTROL_KICKED], 0);
  });

  test('outlives setImmediateExit, which uses the same flag', () => {
    using file = new FakeVcpuFile();
    const vcpu = openVcpu(file.seed);
    file.control[CONTROL_THREAD_ID] = 0;
    const kick = openKick(file.seed);
    vcpu.setImmediateExit(true);
    vcpu.setImmediateExit(false);
    assert.equal(file.run.get('immediate_exit'), 0n);
    kick.kick();
    vcpu.setImmediateExit(true);
    vcpu.setImmediateExit(false);
    assert.equal(file.run.get('immediate_exit'), 1n, 'the kick is still to be answered');
    vcpu.close();
    kick.close();
  });
});

describe('what the host refuses', () => {
  test('names the request and the error number', () => {
    using file = new FakeVcpuFile();
    const vcpu = openVcpu(file.seed);
    const refused = (subject: string) => (error: unknown) =>
      error instanceof HostError &&
      error.call === 'ioctl' &&
      error.subject === subject &&
      error.code === 'ENOTTY';
    assert.throws(() => vcpu.run(), refused('KVM_RUN'));
    assert.throws(() => vcpu.completeExit(), refused('KVM_RUN'));
    assert.throws(() => vcpu.getRegisters(), refused('KVM_GET_REGS'));
    assert.throws(() => vcpu.interrupts.setIrqLine(4, true), refused('KVM_IRQ_LINE'));
    assert.throws(
      () => vcpu.interrupts.signalMsi({ address: 0xfee00000n, data: 0 }),
      refused('KVM_SIGNAL_MSI'),
    );
    assert.equal(file.run.get('immediate_exit'), 0n, 'a completion that fails leaves no flag behind');
    vcpu.close();
    assert.equal(file.control[CONTROL_THREAD_ID], 0);
  });

  test("another accelerator's seed", () => {
    assert.throws(() => openVcpu({ accelerator: 'wasm', id: 0 }), /not a KVM vCPU: wasm/);
    assert.throws(() => openKick({ accelerator: 'wasm', id: 0 }), /not a KVM vCPU: wasm/);
  });
});
