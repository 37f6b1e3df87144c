import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { RestingHeap, type ThreadHeap } from './resting-heap.ts';

const MIB = 2 ** 20;

/** A thread that works and allocates as it is told. */
class FakeHeap implements ThreadHeap {
  now = 0;
  busy = 0;
  used = 30 * MIB;
  collections = 0;
  readonly resting = new RestingHeap(this);

  nowMs = () => this.now;
  busyMs = () => this.busy;
  usedBytes = () => this.used;
  collect(): void {
    this.collections++;
    this.used = 20 * MIB;
    this.busy += 50;
  }

  /** Sleeps a hundred times in as many milliseconds as given, and works for a share of them. */
  live(ms: number, share: number): void {
    for (let i = 0; i < 100; i++) {
      this.now += ms / 100;
      this.busy += (ms / 100) * share;
      this.resting.beforeSleep();
    }
  }
}

test('a thread that works keeps its garbage, also when it sleeps now and then', () => {
  const heap = new FakeHeap();
  heap.live(20_000, 0.5);
  assert.equal(heap.collections, 0);
});

test('a thread that comes to rest is collected once, within two seconds', () => {
  const heap = new FakeHeap();
  heap.live(20_000, 0.9);
  heap.live(2000, 0.01);
  assert.equal(heap.collections, 1);
  heap.live(3_600_000, 0.01);
  assert.equal(heap.collections, 1);
});

test('it is collected again after it has allocated more', () => {
  const heap = new FakeHeap();
  heap.live(5000, 0.01);
  heap.live(5000, 0.9);
  heap.used += 3 * MIB;
  heap.live(5000, 0.01);
  assert.equal(heap.collections, 1, 'too little to be worth it');
  heap.used += 3 * MIB;
  heap.live(5000, 0.01);
  assert.equal(heap.collections, 2);
});

test("a thread's own garbage is collected while it never returns to its event loop", async () => {
  const source = `
    import { workerData } from 'node:worker_threads';
    import { getHeapStatistics } from 'node:v8';
    const { RestingHeap } = await import(workerData);
    const resting = new RestingHeap();
    let garbage = Array.from({ length: 200_000 }, (_, i) => ({ i }));
    garbage = undefined;
    const used = () => getHeapStatistics().used_heap_size;
    const [before, limit] = [used(), performance.now() + 60_000];
    const cell = new Int32Array(new SharedArrayBuffer(4));
    while (used() > before - 4_000_000 && performance.now() < limit) {
      resting.beforeSleep();
      Atomics.wait(cell, 0, 0, 200);
    }
    process.exit(used() <= before - 4_000_000 ? 0 : 1);`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    workerData: new URL('./resting-heap.ts', import.meta.url).href,
  });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  worker.on('error', reject).on('exit', resolve);
  assert.equal(await promise, 0);
});
