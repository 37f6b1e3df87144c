/** A thread of hostile-run.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { type HostileMessage, type HostileWorkerData, PROGRESS } from './hostile-run.ts';
import { HostileVcpu } from './hostile-vcpu.ts';

const { seed, milliseconds, once, progress, parts } = workerData as HostileWorkerData;
const words = new Int32Array(progress);
const post = (message: HostileMessage) => parentPort!.postMessage(message);

const hostile = new HostileVcpu(parts);
const end = performance.now() + milliseconds;
let current = seed;
try {
  do {
    Atomics.store(words, PROGRESS.seed, current | 0);
    hostile.run(current, () => void Atomics.add(words, PROGRESS.beats, 1));
    current = (current + 1) >>> 0;
  } while (!once && performance.now() < end);
  post({ kind: 'done', guests: current - seed, exits: Object.fromEntries(hostile.exits) });
} catch (error) {
  post({ kind: 'failed', seed: current, error });
}
