/** What several of this package's tests need: workers, and pseudo-terminals (pty(7)). */
import { closeSync, constants, openSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { ioctlPointer } from './ioctl.ts';
import type { WorkerReply, WorkerTask } from './test-worker.ts';

export interface RunningTask {
  tid: number;
  result: Promise<unknown>;
}

/** Starts a worker; resolves when it runs. */
export function startTask(task: WorkerTask): Promise<RunningTask> {
  const worker = new Worker(new URL('./test-worker.ts', import.meta.url), { workerData: task });
  return new Promise((resolve, reject) => {
    const { promise: result, resolve: finish, reject: fail } = Promise.withResolvers<unknown>();
    worker.on('error', (error) => {
      reject(error);
      fail(error);
    });
    worker.on('message', (reply: WorkerReply) => {
      if (reply.kind === 'started') resolve({ tid: reply.tid, result });
      else finish(reply.result);
    });
  });
}

/** Does something every few milliseconds until the promise settles, or fails after `limitMs`. */
export async function repeatUntil<T>(promise: Promise<T>, limitMs: number, action: () => void): Promise<T> {
  const timer = setInterval(action, 5);
  const limit = AbortSignal.timeout(limitMs);
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) =>
        limit.addEventListener('abort', () => reject(new Error('took too long'))),
      ),
    ]);
  } finally {
    clearInterval(timer);
  }
}

const TIOCSPTLCK = 0x4004_5431;
const TIOCGPTN = 0x8004_5430;

/** A pseudo-terminal: `terminal` is what a program would have as its standard input. */
export class Pty implements Disposable {
  readonly controller: number;
  readonly terminal: number;

  constructor() {
    const flags = constants.O_RDWR | constants.O_NOCTTY;
    this.controller = openSync('/dev/ptmx', flags);
    const number = new Uint32Array(1);
    ioctlPointer(this.controller, TIOCSPTLCK, new Int32Array(1), 'TIOCSPTLCK');
    ioctlPointer(this.controller, TIOCGPTN, number, 'TIOCGPTN');
    this.terminal = openSync(`/dev/pts/${number[0]}`, flags);
  }

  [Symbol.dispose](): void {
    closeSync(this.terminal);
    closeSync(this.controller);
  }
}
