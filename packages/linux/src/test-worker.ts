/** A worker for this package's tests: does one thing in a thread of its own and posts the result. */
import { parentPort, workerData } from 'node:worker_threads';
import {
  EventFd,
  futexWait,
  getThreadName,
  gettid,
  Mapping,
  setThreadName,
  tryRead,
  viewMemory,
} from './index.ts';

export type WorkerTask =
  | { kind: 'read'; fd: number }
  | { kind: 'futex'; hva: number; timeoutMs: number }
  | { kind: 'name'; name: string; gate: Int32Array<SharedArrayBuffer> }
  | { kind: 'stress'; rounds: number };

export type WorkerReply = { kind: 'started'; tid: number } | { kind: 'done'; result: unknown };

const post = (reply: WorkerReply): void => parentPort!.postMessage(reply);

post({ kind: 'started', tid: gettid() });
post({ kind: 'done', result: perform(workerData as WorkerTask) });

function perform(task: WorkerTask): unknown {
  switch (task.kind) {
    case 'read':
      return tryRead(task.fd, new Uint8Array(8));
    case 'futex': {
      const word = new Int32Array(viewMemory(task.hva, 4));
      Atomics.store(word, 0, 1);
      return futexWait(task.hva, 1, task.timeoutMs);
    }
    case 'name':
      setThreadName(task.name);
      Atomics.wait(task.gate, 0, 0, 10_000);
      return getThreadName();
    case 'stress':
      return stress(task.rounds);
  }
}

/** Maps, writes, unmaps and signals over and over; returns how often it read back what it wrote. */
function stress(rounds: number): number {
  let right = 0;
  for (let round = 1; round <= rounds; round++) {
    using mapping = Mapping.map({ lengthBytes: 64 * 1024 });
    using event = new EventFd();
    const bytes = new Uint8Array(mapping.buffer);
    bytes.fill(round & 0xff);
    event.signal(round);
    if (event.drain() === round && bytes[65_535] === (round & 0xff)) right++;
  }
  return right;
}
