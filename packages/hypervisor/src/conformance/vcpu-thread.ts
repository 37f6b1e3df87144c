/** A vCPU in a worker thread of its own, driven from the case's thread by messages. */
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Vcpu, VcpuHandle, VcpuSeed } from '../contract.ts';
import type { VcpuExit } from '../exits.ts';
import { describeExit } from './exit-data.ts';
import type { VcpuSetup } from './vcpu-setup.ts';

export interface VcpuThreadData {
  readonly workerModule: string;
  readonly seed: VcpuSeed;
  readonly setup: VcpuSetup;
  /** Word 0: 1 asks the run loop to stop at the next 'interrupted'. Word 1: MMIO reads served. */
  readonly control: SharedArrayBuffer;
}

export const CONTROL_STOP = 0;
export const CONTROL_MMIO_READS = 1;

export interface RunLoopOptions {
  /** Answers MMIO reads with this and swallows writes; without it they stop the loop. */
  readonly mmioValue?: bigint;
  /** Stops at any 'interrupted', asked for or not. */
  readonly stopWhenInterrupted?: boolean;
}

export type ThreadRequest =
  | { readonly kind: 'call'; readonly method: keyof Vcpu; readonly args: readonly unknown[] }
  | { readonly kind: 'run'; readonly options: RunLoopOptions }
  | { readonly kind: 'close' };

export interface StoppedRun {
  readonly exit: VcpuExit;
  /** Host monotonic time, in nanoseconds, when the last `run` returned. */
  readonly atNs: bigint;
}

export type ThreadMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'result'; readonly value: unknown }
  | { readonly kind: 'error'; readonly error: unknown }
  | { readonly kind: 'report'; readonly value: number }
  | ({ readonly kind: 'stopped' } & StoppedRun);

const TIME_CHECK_MS = 250;

type Method = { [K in keyof Vcpu]: Vcpu[K] extends (...args: never) => unknown ? K : never }[keyof Vcpu];

export class VcpuThread {
  readonly handle: VcpuHandle;
  readonly #worker: Worker;
  readonly #control: Int32Array;
  readonly #checkTime: () => void;
  readonly #reports: number[] = [];
  #wake = Promise.withResolvers<void>();
  #answers: PromiseWithResolvers<unknown>[] = [];
  #stopped: StoppedRun | undefined;
  #failure: Error | undefined;

  private constructor(handle: VcpuHandle, worker: Worker, control: Int32Array, checkTime: () => void) {
    this.handle = handle;
    this.#checkTime = checkTime;
    this.#worker = worker;
    this.#control = control;
    worker.on('message', (message: ThreadMessage) => this.#receive(message));
    worker.on('error', (error) => this.#fail(error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => this.#fail(new Error(`the thread of vCPU ${handle.id} ended`)));
  }

  /** `checkTime` throws when the case has run for too long. */
  static async open(
    workerModule: string,
    handle: VcpuHandle,
    setup: VcpuSetup,
    checkTime: () => void,
  ): Promise<VcpuThread> {
    const control = new SharedArrayBuffer(8);
    const workerData: VcpuThreadData = { workerModule, seed: handle.seed, setup, control };
    const worker = new Worker(new URL('./vcpu-worker.ts', import.meta.url), { workerData });
    await once(worker, 'message'); // 'ready'
    return new VcpuThread(handle, worker, new Int32Array(control), checkTime);
  }

  /** Calls a method of the vCPU in its thread, between runs. */
  call<K extends Method>(method: K, ...args: Parameters<Vcpu[K]>): Promise<ReturnType<Vcpu[K]>> {
    return this.#request({ kind: 'call', method, args }) as Promise<ReturnType<Vcpu[K]>>;
  }

  /** Runs the guest, collecting reports, until it ends or something else stops it. */
  start(options: RunLoopOptions = {}): void {
    Atomics.store(this.#control, CONTROL_STOP, 0);
    this.#stopped = undefined;
    this.#post({ kind: 'run', options });
  }

  get mmioReads(): number {
    return Atomics.load(this.#control, CONTROL_MMIO_READS);
  }

  /** The next value that the guest reports. */
  async report(): Promise<number> {
    while (this.#reports.length === 0) {
      if (this.#stopped)
        throw new Error(`vCPU ${this.handle.id} stopped: ${describeExit(this.#stopped.exit)}`);
      await this.#change();
    }
    return this.#reports.shift()!;
  }

  /** Reports that have arrived and not been taken. */
  takeReports(): number[] {
    return this.#reports.splice(0);
  }

  /** The exit that stopped the run. */
  async stopped(): Promise<StoppedRun> {
    while (this.#stopped === undefined) await this.#change();
    return this.#stopped;
  }

  /** Kicks the vCPU until its run loop has stopped. */
  async stop(): Promise<StoppedRun> {
    Atomics.store(this.#control, CONTROL_STOP, 1);
    this.handle.kick();
    return await this.stopped();
  }

  async close(): Promise<void> {
    if (this.#failure) return;
    Atomics.store(this.#control, CONTROL_STOP, 1);
    this.handle.kick();
    this.#post({ kind: 'close' });
    await once(this.#worker, 'exit');
  }

  #request(request: ThreadRequest): Promise<unknown> {
    const answer = Promise.withResolvers<unknown>();
    this.#answers.push(answer);
    this.#post(request);
    return answer.promise;
  }

  #post(request: ThreadRequest): void {
    this.#worker.postMessage(request);
  }

  async #change(): Promise<void> {
    if (this.#failure) throw this.#failure;
    await Promise.race([this.#wake.promise, setTimeout(TIME_CHECK_MS, undefined, { ref: false })]);
    this.#checkTime();
  }

  #receive(message: ThreadMessage): void {
    if (message.kind === 'result') this.#answers.shift()?.resolve(message.value);
    else if (message.kind === 'error') this.#answers.shift()?.reject(message.error);
    else if (message.kind === 'report') this.#reports.push(message.value);
    else if (message.kind === 'stopped') this.#stopped = message;
    this.#notify();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const answer of this.#answers.splice(0)) answer.reject(error);
    this.#notify();
  }

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }
}
