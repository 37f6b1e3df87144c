/**
 * Runs hostile guests for a time, on one vCPU or on several of one VM, each in a thread, and watches them: a kick each few
 * milliseconds, which must end the run at hand soon, whatever the guests do.
 */
import { Worker } from 'node:worker_threads';
import { openKick } from '@vireo/engine-host';
import type { HostileVcpuParts } from './hostile-vcpu.ts';
import { HostileVm } from './hostile-vm.ts';

const KICK_MS = 4;
/** Far above what a busy machine takes. */
const STUCK_MS = 15_000;
/** Other guests than the first vCPU's. */
const SEEDS_BETWEEN_VCPUS = 2 ** 24;

export interface HostileRunOptions {
  readonly seed: number;
  readonly milliseconds: number;
  /** More than one: what happens depends on more than the seed. */
  readonly vcpus?: number;
  /** One guest only. */
  readonly once?: boolean;
}

/** Words of `progress`. */
export const PROGRESS = { beats: 0, seed: 1, words: 2 } as const;

export interface HostileWorkerData {
  readonly seed: number;
  readonly milliseconds: number;
  readonly once: boolean;
  readonly parts: HostileVcpuParts;
  /** Returns from the guest, and the seed at hand. */
  readonly progress: SharedArrayBuffer;
}

export type HostileMessage =
  | { readonly kind: 'done'; readonly guests: number; readonly exits: Readonly<Record<string, number>> }
  | { readonly kind: 'failed'; readonly seed: number; readonly error: unknown };

export interface HostileResult {
  readonly guests: number;
  readonly exits: Readonly<Record<string, number>>;
  /** What went wrong, and with which seed. */
  readonly failure?: string;
}

const NONE = { guests: 0, exits: {} };

export async function runHostileGuests({
  seed,
  milliseconds,
  vcpus = 1,
  once = false,
}: HostileRunOptions): Promise<HostileResult> {
  using vm = await HostileVm.open();
  const threads = Array.from({ length: vcpus }, (_, id) => {
    const start = (seed + id * SEEDS_BETWEEN_VCPUS) >>> 0;
    return new HostileThread({ seed: start, milliseconds, once, parts: vm.vcpu(id) });
  });
  const all = Promise.all(threads.map(({ result }) => result));
  // Of a failure of one, the others' ends are not waited for.
  const failed = threads.map(({ failure }) => failure);
  const results = await Promise.race([all, ...failed.map(async (failure) => [await failure])]);
  for (const thread of threads) await thread.end();
  return summed(results);
}

class HostileThread {
  readonly result: Promise<HostileResult>;
  /** Never resolves without one. */
  readonly failure: Promise<HostileResult>;
  readonly #worker: Worker;
  readonly #watch: NodeJS.Timeout;

  constructor(data: Omit<HostileWorkerData, 'progress'>) {
    const progress = new SharedArrayBuffer(PROGRESS.words * 4);
    const workerData = { ...data, progress } satisfies HostileWorkerData;
    this.#worker = new Worker(new URL('./hostile-worker.ts', import.meta.url), { workerData });
    const { promise, resolve } = Promise.withResolvers<HostileResult>();
    const fail = (failure: string) => resolve({ ...NONE, failure });
    this.result = promise;
    this.failure = promise.then((it) => (it.failure === undefined ? new Promise(() => {}) : it));
    this.#worker.on('error', (error) => fail(`the thread: ${describe(error)}`));
    this.#worker.on('exit', () => fail('the thread ended without a word'));
    this.#worker.on('message', (message: HostileMessage) => {
      if (message.kind === 'done') resolve(message);
      else fail(`seed ${message.seed}: ${describe(message.error)}`);
    });
    this.#watch = kickAndWatch(data.parts, new Int32Array(progress), fail);
  }

  async end(): Promise<void> {
    clearInterval(this.#watch);
    await this.#worker.terminate();
  }
}

function kickAndWatch(
  { seed }: HostileVcpuParts,
  progress: Int32Array,
  fail: (failure: string) => void,
): NodeJS.Timeout {
  const kick = openKick(seed);
  let beats = -1;
  let since = performance.now();
  return setInterval(() => {
    kick.kick();
    const now = Atomics.load(progress, PROGRESS.beats);
    if (now !== beats) since = performance.now();
    beats = now;
    if (performance.now() - since < STUCK_MS) return;
    fail(`seed ${Atomics.load(progress, PROGRESS.seed) >>> 0}: no kick ends the run`);
  }, KICK_MS);
}

function summed(results: readonly HostileResult[]): HostileResult {
  const failure = results.find((result) => result.failure !== undefined)?.failure;
  const exits: Record<string, number> = {};
  for (const result of results)
    for (const [kind, count] of Object.entries(result.exits)) exits[kind] = (exits[kind] ?? 0) + count;
  const guests = results.reduce((sum, result) => sum + result.guests, 0);
  return { guests, exits, ...(failure !== undefined && { failure }) };
}

const describe = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
