/** A vCPU's thread as the main thread sees it: made early, started with its state, ended by a command and a kick. */

import { Worker } from 'node:worker_threads';
import { UserError } from '@vireo/errors';
import type { VcpuHandle } from '@vireo/hypervisor';
import { COMMAND_STOP, type HostMailbox } from './mailbox.ts';
import type {
  UndefinedInstruction,
  VcpuEnd,
  VcpuMessage,
  VcpuStart,
  VcpuWorkerData,
} from './worker-protocol.ts';

/** Beside this file, both as source and in the bundle. */
const WORKER_URL = new URL(
  import.meta.url.endsWith('.ts') ? './vcpu-worker.ts' : './vcpu-worker.cjs',
  import.meta.url,
);

/**
 * Of V8's heap for young objects, which takes 48 MiB by default. A vCPU's objects live for an instruction or for ever, and
 * booting a guest takes as much processor time with this as with more.
 */
const YOUNG_GENERATION_MIB = 3;

/**
 * Makes the threads of a machine's vCPUs, which load while the caller does other work. Each must be started or
 * discarded.
 * @throws UserError when the host lets this process have no more threads; none is then left.
 */
export function makeVcpuThreads(cpus: number): VcpuThread[] {
  const threads: VcpuThread[] = [];
  // What a thread prints is piped into this process's streams, which Node takes for a leak from the eleventh on.
  for (const stream of [process.stdout, process.stderr])
    stream.setMaxListeners(stream.getMaxListeners() + cpus);
  try {
    while (threads.length < cpus) threads.push(new VcpuThread(threads.length));
  } catch (error) {
    for (const thread of threads) void thread.discard();
    if ((error as NodeJS.ErrnoException).code !== 'ERR_WORKER_INIT_FAILED') throw error;
    throw new UserError(
      'too-many-threads',
      `this host does not let the VM have a thread for each of its ${cpus} vCPUs`,
      'Use fewer --cpus, or raise the limit on processes (ulimit -u, or pids.max of the cgroup).',
      { cause: error },
    );
  }
  return threads;
}

export class VcpuThread {
  readonly id: number;
  /** The thread's last word; never rejects. */
  readonly ended: Promise<VcpuEnd>;
  /** Told of instructions that the engine lacks, if the start asks for it. */
  onUndefined: ((instruction: UndefinedInstruction) => void) | undefined;
  readonly #worker: Worker;
  #started: { readonly handle: VcpuHandle; readonly mailbox: HostMailbox } | undefined;

  constructor(id: number) {
    this.id = id;
    this.#worker = new Worker(WORKER_URL, {
      name: `vcpu${id}`,
      workerData: { id } satisfies VcpuWorkerData,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
    });
    this.ended = new Promise((resolve) => {
      this.#worker.on('message', (message: VcpuMessage) => {
        if (message.kind !== 'undefined-instruction') resolve(message);
        else this.onUndefined?.(message.instruction);
      });
      this.#worker.once('error', (error) => resolve({ kind: 'error', error }));
      const message = `the thread of vCPU ${id} ended without a word`;
      this.#worker.once('exit', () => resolve({ kind: 'error', error: new Error(message) }));
    });
  }

  /** `mailbox`: the other end of the one in `start`. */
  start(handle: VcpuHandle, mailbox: HostMailbox, start: Omit<VcpuStart, 'seed'>): void {
    this.#started = { handle, mailbox };
    this.#worker.postMessage({ ...start, seed: handle.seed } satisfies VcpuStart);
  }

  /** Ends the thread, wherever it is; resolves when it has let go of the vCPU. */
  async stop(): Promise<void> {
    if (this.#started === undefined) return await this.discard();
    const { handle, mailbox } = this.#started;
    mailbox.command(this.id, COMMAND_STOP);
    handle.kick();
    await this.ended;
    handle.close();
  }

  /** Ends the thread if it was never started. */
  async discard(): Promise<void> {
    if (this.#started !== undefined) return;
    // Told, not terminated: to interrupt a thread while it loads native code aborts the whole process.
    this.#worker.postMessage(null);
    await this.ended;
  }
}
