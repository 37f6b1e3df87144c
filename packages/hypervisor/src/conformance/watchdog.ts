/**
 * Bounds every case's time: a thread of its own that kicks the vCPUs of a case that has run for too long, so that
 * `run` returns and the case can fail with registers. If even that does not help, it ends the process.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { VcpuSeed } from '../contract.ts';

export type WatchdogMessage =
  | { readonly kind: 'arm'; readonly generation: number; readonly name: string; readonly timeoutMs: number }
  | { readonly kind: 'watch'; readonly seed: VcpuSeed }
  | { readonly kind: 'settle' }
  | { readonly kind: 'disarm' };

export interface WatchdogData {
  readonly workerModule: string;
  /** One word: the generation that expired last. */
  readonly expired: SharedArrayBuffer;
}

export class Watchdog {
  readonly #worker: Worker;
  readonly #expired: Int32Array;
  #generation = 0;

  private constructor(worker: Worker, expired: SharedArrayBuffer) {
    this.#worker = worker;
    this.#expired = new Int32Array(expired);
  }

  static async start(workerModule: string): Promise<Watchdog> {
    const expired = new SharedArrayBuffer(4);
    const workerData: WatchdogData = { workerModule, expired };
    const worker = new Worker(new URL('./watchdog-worker.ts', import.meta.url), { workerData });
    await once(worker, 'online');
    worker.unref();
    return new Watchdog(worker, expired);
  }

  /** Starts the clock of a case. */
  arm(name: string, timeoutMs: number): void {
    this.#generation++;
    this.#send({ kind: 'arm', generation: this.#generation, name, timeoutMs });
  }

  /** Has this vCPU kicked when the time is over. */
  watch(seed: VcpuSeed): void {
    this.#send({ kind: 'watch', seed });
  }

  /** Once everything asked of it before is done: then what it watches may be closed. */
  async settle(): Promise<void> {
    this.#send({ kind: 'settle' });
    await once(this.#worker, 'message');
  }

  disarm(): void {
    this.#send({ kind: 'disarm' });
  }

  /** Whether the current case's time is over. */
  get expired(): boolean {
    return Atomics.load(this.#expired, 0) === this.#generation;
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #send(message: WatchdogMessage): void {
    this.#worker.postMessage(message);
  }
}
