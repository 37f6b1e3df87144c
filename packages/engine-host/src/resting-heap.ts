/**
 * Gives a vCPU's garbage back when its guest has come to rest. V8 collects a heap when more is allocated, or from its
 * thread's event loop; a vCPU's thread, which sleeps in the midst of its work, would for days keep what booting left.
 */
import { trimHeap } from '@vireo/linux/malloc';

const LOOK_EVERY_MS = 1000;
/** Of its time a thread may work while it is still called at rest. */
const REST_SHARE = 0.05;
/** What is worth a collection, which takes tens of milliseconds. */
const WORTHWHILE_BYTES = 4 * 2 ** 20;

/** What is asked of the calling thread, and done to it. */
export interface ThreadHeap {
  nowMs(): number;
  /** Processor time that the thread took. */
  busyMs(): number;
  usedBytes(): number;
  /** Gives back what nothing refers to. */
  collect(): void;
}

export class RestingHeap {
  readonly #heap: ThreadHeap;
  #nextLookMs = 0;
  #lastMs = 0;
  #lastBusyMs = 0;
  /** What the last collection left. */
  #keptBytes = 0;

  constructor(heap: ThreadHeap = OWN_HEAP) {
    this.#heap = heap;
  }

  /** To be called often: mostly, it only looks at the time. */
  beforeSleep(): void {
    const now = this.#heap.nowMs();
    if (now < this.#nextLookMs) return;
    const busy = this.#heap.busyMs();
    const isAtRest = busy - this.#lastBusyMs < REST_SHARE * (now - this.#lastMs);
    if (isAtRest && this.#heap.usedBytes() > this.#keptBytes + WORTHWHILE_BYTES) {
      this.#heap.collect();
      this.#keptBytes = this.#heap.usedBytes();
    }
    this.#lastMs = now;
    this.#lastBusyMs = busy;
    this.#nextLookMs = now + LOOK_EVERY_MS;
  }
}

type Collector = (how: typeof ALL_GARBAGE) => void;

/** Also what V8 keeps in case it is wanted again, and with empty pages given back when it returns: 60 ms, and 20 MiB less. */
const ALL_GARBAGE = { type: 'major', execution: 'sync', flavor: 'last-resort' } as const;

/** The calling thread's. */
const OWN_HEAP: ThreadHeap = {
  nowMs: () => performance.now(),
  busyMs() {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  },
  usedBytes: () => process.getBuiltinModule('node:v8').getHeapStatistics().used_heap_size,
  collect() {
    collector()?.(ALL_GARBAGE);
    trimHeap();
  },
};

/** V8's `gc`, which a context has only if it is made while the flag is set; undefined if another thread just cleared it. */
function collector(): Collector | undefined {
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  const { runInNewContext } = process.getBuiltinModule('node:vm');
  setFlagsFromString('--expose-gc');
  try {
    return runInNewContext('globalThis.gc') as Collector | undefined;
  } finally {
    // Node's compile cache is for one set of flags, and is written at the end of the process.
    setFlagsFromString('--no-expose-gc');
  }
}
