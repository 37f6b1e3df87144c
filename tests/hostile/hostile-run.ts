/**
 * Runs hostile guests in a thread for a time, and watches it: a kick each few milliseconds, which must end the run at hand
 * soon, whatever the guest does.
 */
import { Worker } from 'node:worker_threads';
import { openKick } from '@vireo/engine-host';
import type { VcpuSeed } from '@vireo/hypervisor';

const KICK_MS = 4;
/** Far above what a busy machine takes. */
const STUCK_MS = 15_000;

export interface HostileRunOptions {
  readonly seed: number;
  readonly milliseconds: number;
  /** This guest only. */
  readonly once?: boolean;
}

export interface HostileWorkerData extends HostileRunOptions {
  /** Returns from the guest, and the seed at hand. */
  readonly progress: SharedArrayBuffer;
}

export type HostileMessage =
  | { readonly kind: 'opened'; readonly seed: VcpuSeed }
  | { readonly kind: 'done'; readonly guests: number; readonly exits: Readonly<Record<string, number>> }
  | { readonly kind: 'failed'; readonly seed: number; readonly error: unknown };

export interface HostileResult {
  readonly guests: number;
  readonly exits: Readonly<Record<string, number>>;
  /** What went wrong, and with which seed. */
  readonly failure?: string;
}

const NONE = { guests: 0, exits: {} };

export async function runHostileGuests(options: HostileRunOptions): Promise<HostileResult> {
  const progress = new SharedArrayBuffer(8);
  const workerData = { ...options, progress } satisfies HostileWorkerData;
  // What it opens by FFI it closes by Node, which keeps no account of that.
  const worker = new Worker(new URL('./hostile-worker.ts', import.meta.url), {
    workerData,
    trackUnmanagedFds: false,
  });
  const { promise, resolve } = Promise.withResolvers<HostileResult>();
  let watch: NodeJS.Timeout | undefined;
  worker.on('error', (error) => resolve({ ...NONE, failure: `the thread: ${describe(error)}` }));
  worker.on('exit', () => resolve({ ...NONE, failure: 'the thread ended without a word' }));
  worker.on('message', (message: HostileMessage) => {
    if (message.kind === 'opened') watch = startWatch(message.seed, new Int32Array(progress), resolve);
    else if (message.kind === 'done') resolve(message);
    else resolve({ ...NONE, failure: `seed ${message.seed}: ${describe(message.error)}` });
  });
  const result = await promise;
  clearInterval(watch);
  await worker.terminate();
  return result;
}

function startWatch(
  seed: VcpuSeed,
  progress: Int32Array,
  onEnd: (result: HostileResult) => void,
): NodeJS.Timeout {
  const kick = openKick(seed);
  let beats = -1;
  let since = performance.now();
  return setInterval(() => {
    kick.kick();
    const now = Atomics.load(progress, 0);
    if (now !== beats) since = performance.now();
    beats = now;
    if (performance.now() - since < STUCK_MS) return;
    const stuck = Atomics.load(progress, 1) >>> 0;
    onEnd({ ...NONE, failure: `seed ${stuck}: no kick ends the run` });
  }, KICK_MS);
}

const describe = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
