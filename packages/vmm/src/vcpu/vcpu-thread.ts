/** A vCPU's thread as the main thread sees it: made early, started with its state, ended by a command and a kick. */

import { Worker } from 'node:worker_threads';
import type { VcpuHandle } from '@vireo/hypervisor';
import { COMMAND_STOP, type HostMailbox } from './mailbox.ts';
import type { VcpuEnd, VcpuStart, VcpuWorkerData } from './worker-protocol.ts';

/** Beside this file, both as source and in the bundle. */
const WORKER_URL = new URL(
  import.meta.url.endsWith('.ts') ? './vcpu-worker.ts' : './vcpu-worker.cjs',
  import.meta.url,
);

export class VcpuThread {
  readonly id: number;
  /** The thread's last word; never rejects. */
  readonly ended: Promise<VcpuEnd>;
  readonly #worker: Worker;
  readonly #mailbox: HostMailbox;
  #handle: VcpuHandle | undefined;

  constructor(data: VcpuWorkerData, mailbox: HostMailbox) {
    this.id = data.id;
    this.#mailbox = mailbox;
    this.#worker = new Worker(WORKER_URL, { name: `vcpu${data.id}`, workerData: data });
    this.ended = new Promise((resolve) => {
      this.#worker.once('message', resolve);
      this.#worker.once('error', (error) => resolve({ kind: 'error', error }));
      const message = `the thread of vCPU ${data.id} ended without a word`;
      this.#worker.once('exit', () => resolve({ kind: 'error', error: new Error(message) }));
    });
  }

  start(handle: VcpuHandle, start: Omit<VcpuStart, 'seed'>): void {
    this.#handle = handle;
    this.#worker.postMessage({ ...start, seed: handle.seed } satisfies VcpuStart);
  }

  /** Ends the thread, wherever it is; resolves when it has let go of the vCPU. */
  async stop(): Promise<void> {
    if (this.#handle === undefined) {
      // Told, not terminated: to interrupt a thread while it loads native code aborts the whole process.
      this.#worker.postMessage(null);
      await this.ended;
      return;
    }
    this.#mailbox.command(this.id, COMMAND_STOP);
    this.#handle.kick();
    await this.ended;
    this.#handle.close();
  }
}
