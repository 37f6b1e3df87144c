/**
 * Getting a vCPU's thread out of KVM_RUN from another thread: the `immediate_exit` flag in the run page and a signal
 * to the thread (Linux KVM API §5, `immediate_exit`).
 *
 * The flag comes first: whether the signal arrives before, during or after KVM_RUN's entry, either it interrupts
 * the ioctl or the flag makes the next one return. A signal that arrives too late does nothing.
 *
 * The vCPU's thread uses the same flag for itself, so a word beside it remembers a kick that no `run` has answered.
 */
import type { VcpuKick, VcpuSeed } from '@vireo/hypervisor';
import { HostError, installWakeHandler, Mapping, SIGNAL_KICK, tgkill } from '@vireo/linux';
import { RunPage } from './exit-decoder.ts';
import { asKvmSeed, CONTROL_KICKED, CONTROL_THREAD_ID, type KvmVcpuSeed } from './vcpu-seed.ts';

let installed = false;

/** Makes the kick signal harmless in this process; before any vCPU runs. */
export function prepareKicks(): void {
  if (installed) return;
  installWakeHandler(SIGNAL_KICK);
  installed = true;
}

/** Opens the way to kick the vCPU of a seed from the calling thread. */
export function openKick(seed: VcpuSeed): VcpuKick {
  return new KvmKick(asKvmSeed(seed));
}

class KvmKick implements VcpuKick {
  readonly #mapping: Mapping;
  readonly #run: RunPage;
  readonly #control: Int32Array;
  #closed = false;

  constructor(seed: KvmVcpuSeed) {
    this.#mapping = Mapping.map({ fd: seed.vcpuFd, lengthBytes: seed.runSizeBytes });
    this.#run = new RunPage(this.#mapping.buffer);
    this.#control = new Int32Array(seed.control);
  }

  kick(): void {
    if (this.#closed) return;
    Atomics.store(this.#control, CONTROL_KICKED, 1);
    this.#run.immediateExit = true;
    const threadId = Atomics.load(this.#control, CONTROL_THREAD_ID);
    if (threadId !== 0) signalThread(threadId);
  }

  close(): void {
    this.#closed = true;
    this.#mapping.unmap();
  }
}

/** The thread may close the vCPU and end between our look at its id and the signal: then there is nobody to kick. */
function signalThread(threadId: number): void {
  try {
    tgkill(threadId, SIGNAL_KICK);
  } catch (error) {
    if (!(error instanceof HostError && error.code === 'ESRCH')) throw error;
  }
}
