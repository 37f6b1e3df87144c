/** The same guest under Vireo's own code: one vCPU in a thread of its own, and devices in this one. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { clearedRegisters } from '@vireo/hypervisor/conformance/vcpu-setup';
import { openKvm } from '@vireo/kvm';
import { Mapping } from '@vireo/linux';
import { ExitServer } from '@vireo/vmm/vcpu/exit-server';
import { HostMailbox, mailboxBuffer } from '@vireo/vmm/vcpu/mailbox';
import { type ExitGuest, LOCAL_PORT, MMIO_GPA, type Round } from './guest.ts';
import type { Loop, ThreadData, ThreadRound } from './vcpu-worker.ts';

const RAM_BYTES = 0x80000;

export class VireoGuest {
  readonly #worker: Worker;
  readonly #server: ExitServer;
  readonly #release: () => void;

  private constructor(worker: Worker, server: ExitServer, release: () => void) {
    this.#worker = worker;
    this.#server = server;
    this.#release = release;
  }

  static start(guest: ExitGuest): VireoGuest {
    const ram = Mapping.map({ lengthBytes: RAM_BYTES });
    new Uint8Array(ram.buffer).set(guest.bytes, guest.origin);
    const hypervisor = openKvm();
    // Without in-kernel interrupt controllers, so that the HLT at the end of a round is an exit; as in exits.c.
    const vm = hypervisor.createVm();
    const backing = { fd: -1, fdOffset: 0, hva: ram.hva, sizeBytes: RAM_BYTES, buffer: ram.buffer };
    vm.setMemorySlot({ id: 0, gpa: 0, sizeBytes: RAM_BYTES, backing, backingOffset: 0 });
    const handle = vm.createVcpu(0);
    const mailbox = mailboxBuffer(1);
    const workerData: ThreadData = {
      seed: handle.seed,
      cpuid: hypervisor.supportedCpuid(),
      mailbox,
      localPort: LOCAL_PORT,
    };
    const worker = new Worker(new URL('./vcpu-worker.ts', import.meta.url), { name: 'vcpu0', workerData });
    const server = new ExitServer({
      mailbox: new HostMailbox(mailbox, 1),
      serve: () => 0,
      collect: () => {},
      onError: (error) => worker.emit('error', error),
    });
    void server.run();
    return new VireoGuest(worker, server, () => {
      handle.close();
      vm.close();
      hypervisor.close();
      ram.unmap();
    });
  }

  /** @returns nanoseconds. */
  async run(loop: Loop, { entry, count, port }: Round): Promise<number> {
    const registers = {
      ...clearedRegisters(entry),
      ...{ rcx: BigInt(count), rdx: BigInt(port), rbx: BigInt(MMIO_GPA) },
    };
    this.#worker.postMessage({ loop, registers } satisfies ThreadRound);
    const [nanoseconds] = (await once(this.#worker, 'message')) as [number];
    return nanoseconds;
  }

  async close(): Promise<void> {
    this.#worker.postMessage(null);
    await once(this.#worker, 'exit');
    this.#server.stop();
    this.#release();
  }
}
