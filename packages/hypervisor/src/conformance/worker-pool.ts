/**
 * The worker threads that vCPUs run in, used again from case to case: loading the accelerator takes longer than most
 * cases do.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { VcpuSeed } from '../contract.ts';
import type { VcpuSetup } from './vcpu-setup.ts';

export interface PoolData {
  readonly workerModule: string;
}

/** Opens a vCPU in a worker. */
export interface OpenRequest {
  readonly kind: 'open';
  readonly seed: VcpuSeed;
  readonly setup: VcpuSetup;
  /** Shared words, see vcpu-thread.ts. */
  readonly control: SharedArrayBuffer;
}

export class WorkerPool {
  readonly #workerModule: string;
  readonly #idle: Worker[] = [];

  constructor(workerModule: string) {
    this.#workerModule = workerModule;
  }

  async acquire(): Promise<Worker> {
    const idle = this.#idle.pop();
    if (idle) return idle;
    const workerData: PoolData = { workerModule: this.#workerModule };
    const worker = new Worker(new URL('./vcpu-worker.ts', import.meta.url), { workerData });
    await once(worker, 'message'); // 'ready'
    worker.unref();
    return worker;
  }

  release(worker: Worker): void {
    this.#idle.push(worker);
  }

  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((worker) => worker.terminate()));
  }
}
