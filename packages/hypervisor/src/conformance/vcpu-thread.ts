/** A vCPU in a worker thread of its own, driven from the case's thread by messages. */
import { setTimeout } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import type { Vcpu, VcpuHandle } from '../contract.ts';
import type { VcpuExit } from '../exits.ts';
import { describeExit, hex } from './exit-data.ts';
import type { VcpuSetup } from './vcpu-setup.ts';
import type { OpenRequest, WorkerPool } from './worker-pool.ts';

/** Shared words. 1 asks the run loop to stop at the next 'interrupted'. */
export const CONTROL_STOP = 0;
/** How many MMIO reads the run loop has served. */
export const CONTROL_MMIO_READS = 1;
const CONTROL_BYTES = 8;

export interface RunLoopOptions {
  /** Answers MMIO reads with this and swallows writes; without it they stop the loop. */
  readonly mmioValue?: bigint;
  /** Stops at any 'interrupted', asked for or not. */
  readonly stopWhenInterrupted?: boolean;
}

export type ThreadRequest =
  | OpenRequest
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
  readonly #pool: WorkerPool;
  readonly #worker: Worker;
  readonly #sharedControl = new SharedArrayBuffer(CONTROL_BYTES);
  readonly #control = new Int32Array(this.#sharedControl);
  readonly #onMessage = (message: ThreadMessage) => this.#receive(message);
  readonly #onError = (error: Error) => this.#fail(error);
  readonly #checkTime: () => void;
  readonly #reports: number[] = [];
  #wake = Promise.withResolvers<void>();
  #answers: PromiseWithResolvers<unknown>[] = [];
  #stopped: StoppedRun | undefined;
  #failure: Error | undefined;
  #isClosed = false;

  private constructor(pool: WorkerPool, worker: Worker, handle: VcpuHandle, checkTime: () => void) {
    this.#pool = pool;
    this.#worker = worker;
    this.handle = handle;
    this.#checkTime = checkTime;
    worker.on('message', this.#onMessage);
    worker.on('error', this.#onError);
  }

  /** `checkTime` throws when the case has run for too long. */
  static async open(
    pool: WorkerPool,
    handle: VcpuHandle,
    setup: VcpuSetup,
    checkTime: () => void,
  ): Promise<VcpuThread> {
    const thread = new VcpuThread(pool, await pool.acquire(), handle, checkTime);
    await thread.#request({ kind: 'open', seed: handle.seed, setup, control: thread.#sharedControl });
    return thread;
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

  /** For a failure: stops the vCPU if it runs; its registers and last exit. */
  async describe(): Promise<string> {
    if (this.#failure) return `vCPU ${this.handle.id}: ${this.#failure.message}`;
    if (this.#isClosed) return `vCPU ${this.handle.id}: closed`;
    Atomics.store(this.#control, CONTROL_STOP, 1);
    this.handle.kick();
    const registers = await this.call('getRegisters'); // served after the run
    const mpState = await this.call('getMpState');
    const list = Object.entries(registers).map(([name, value]) => `${name} ${hex(value)}`);
    const exit = this.#stopped === undefined ? 'none' : describeExit(this.#stopped.exit);
    return `vCPU ${this.handle.id}: ${mpState}, ${list.join(', ')}; last exit: ${exit}`;
  }

  /** Closes the vCPU; its worker goes back to the pool. Once is enough. */
  async close(): Promise<void> {
    if (this.#failure || this.#isClosed) return;
    this.#isClosed = true;
    Atomics.store(this.#control, CONTROL_STOP, 1);
    this.handle.kick();
    await this.#request({ kind: 'close' });
    this.#worker.off('message', this.#onMessage);
    this.#worker.off('error', this.#onError);
    this.#pool.release(this.#worker);
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
