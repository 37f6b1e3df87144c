/** `Worker` for `vcpu-thread.ts` in tests: it loads the hooks, and is counted for as long as it lives. */
import { Worker as NodeWorker, type WorkerOptions } from 'node:worker_threads';

const HOOKS = new URL('./scripted-hooks.ts', import.meta.url).href;

export const alive = new Set<NodeWorker>();

export class Worker extends NodeWorker {
  constructor(url: URL, options: WorkerOptions) {
    super(url, { ...options, execArgv: ['--import', HOOKS] });
    this.unref(); // one that hangs must not keep a test that has failed from ending
    alive.add(this);
    this.once('exit', () => alive.delete(this));
  }
}
