import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { InterruptControllers } from './interrupt-controllers.ts';
import { COUNTS, type IpiVcpuData, LEVEL_VECTOR, MAIN_VECTOR, vectorOf } from './testing/ipi-vcpu.ts';

const VCPUS = 4;
/** A lost interrupt or wake is a thread that waits for ever. */
const TIMEOUT_MS = 60_000;

class VcpuThreads {
  readonly controllers: InterruptControllers;
  readonly #taken: Int32Array<SharedArrayBuffer>;
  readonly #workers: readonly Worker[];
  readonly #messages: string[] = [];

  constructor(rounds: number) {
    const clock = { now: () => process.hrtime.bigint(), readTsc: () => 0n, tscKhz: 1_000_000 };
    const buffer = new SharedArrayBuffer(InterruptControllers.sizeBytes(VCPUS));
    const counts = new SharedArrayBuffer((VCPUS * COUNTS + 2) * 4);
    this.controllers = new InterruptControllers({ buffer, vcpus: VCPUS, clock });
    this.controllers.initialise();
    this.#taken = new Int32Array(counts);
    this.#workers = Array.from({ length: VCPUS }, (_, id) => {
      const workerData: IpiVcpuData = { buffer, counts, id, vcpus: VCPUS, rounds };
      const worker = new Worker(new URL('./testing/ipi-vcpu.ts', import.meta.url), { workerData });
      worker.on('message', (message: string) => this.#messages.push(message));
      return worker;
    });
  }

  taken(id: number, vector: number): number {
    return Atomics.load(this.#taken, id * COUNTS + 1 + vector);
  }

  nmisTaken(id: number): number {
    return Atomics.load(this.#taken, id * COUNTS);
  }

  /** Until every vCPU has said it. */
  async all(message: string): Promise<void> {
    while (this.#messages.filter((it) => it === message).length < VCPUS) await sleep(1);
  }

  startSending(): void {
    this.#tellAll(1);
  }

  async end(): Promise<void> {
    const exits = this.#workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
    this.#tellAll(0);
    await Promise.all(exits);
  }

  #tellAll(word: 0 | 1): void {
    Atomics.store(this.#taken, VCPUS * COUNTS + word, 1);
    for (let id = 0; id < VCPUS; id++) this.controllers.vcpu(id).wake();
  }
}

async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

test('IPIs of four threads to each other: none lost, none twice', { timeout: TIMEOUT_MS }, async () => {
  const rounds = 3000;
  const threads = new VcpuThreads(rounds);
  await threads.all('ready');
  threads.startSending();
  await threads.all('sent');
  const pairs = Array.from({ length: VCPUS * VCPUS }, (_, i) => [i % VCPUS, Math.floor(i / VCPUS)] as const);
  await waitFor(() =>
    pairs.every(([to, from]) => to === from || threads.taken(to, vectorOf(from)) >= rounds),
  );
  await threads.end();
  for (const [to, from] of pairs) assert.equal(threads.taken(to, vectorOf(from)), to === from ? 0 : rounds);
});

test('messages, NMIs and levels of the main thread reach halted vCPUs, each once', {
  timeout: TIMEOUT_MS,
}, async () => {
  const threads = new VcpuThreads(0);
  const { controllers } = threads;
  await threads.all('ready');
  const pin = 20;
  controllers.writeIoapic(0, 4, 0x11 + 2 * pin);
  controllers.writeIoapic(0x10, 4, 3 << 24);
  controllers.writeIoapic(0, 4, 0x10 + 2 * pin);
  controllers.writeIoapic(0x10, 4, LEVEL_VECTOR);
  for (let round = 1; round <= 300; round++) {
    const id = round % VCPUS;
    const count = threads.taken(id, MAIN_VECTOR);
    assert.equal(controllers.signalMsi({ address: 0xfee00000n | BigInt(id << 12), data: MAIN_VECTOR }), true);
    await waitFor(() => threads.taken(id, MAIN_VECTOR) === count + 1);
    const nmis = threads.nmisTaken(id);
    controllers.vcpu(id).injectNmi();
    await waitFor(() => threads.nmisTaken(id) === nmis + 1);
    controllers.setIrqLine(pin, true);
    controllers.setIrqLine(pin, false);
    await waitFor(() => threads.taken(3, LEVEL_VECTOR) === round);
  }
  threads.startSending();
  await threads.end();
});
