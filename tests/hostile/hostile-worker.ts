/** The thread of hostile-run.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import type { HostileMessage, HostileWorkerData } from './hostile-run.ts';
import { HostileVcpu } from './hostile-vcpu.ts';

const { seed, milliseconds, once, progress } = workerData as HostileWorkerData;
const words = new Int32Array(progress);
const post = (message: HostileMessage) => parentPort!.postMessage(message);

const hostile = await HostileVcpu.open();
post({ kind: 'opened', seed: hostile.seed });
const end = performance.now() + milliseconds;
let current = seed;
try {
  do {
    Atomics.store(words, 1, current | 0);
    hostile.run(current, () => void Atomics.add(words, 0, 1));
    current = (current + 1) >>> 0;
  } while (!once && performance.now() < end);
  post({ kind: 'done', guests: current - seed, exits: Object.fromEntries(hostile.exits) });
} catch (error) {
  post({ kind: 'failed', seed: current, error });
}
hostile[Symbol.dispose]();
