import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { InterruptControllers } from './interrupt-controllers.ts';
import {
  COUNT_WORDS,
  type IpiVcpuData,
  LINE_VECTOR,
  MAIN_VECTOR,
  PHASE_SEND,
  PHASE_STOP,
  PING,
  PONG,
} from './testing/ipi-vcpu.ts';

const VCPUS = 4;
const IDS = Array.from({ length: VCPUS }, (_, id) => id);
/** A lost interrupt or wake is a thread that waits for ever. */
const TIMEOUT_MS = 60_000;

class VcpuThreads {
  readonly controllers: InterruptControllers;
  readonly #counts: Int32Array<SharedArrayBuffer>;
  readonly #workers: readonly Worker[];
  readonly #messages: string[] = [];

  constructor(rounds: number) {
    const clock = { now: () => process.hrtime.bigint(), readTsc: () => 0n, tscKhz: 1_000_000 };
    const buffer = new SharedArrayBuffer(InterruptControllers.sizeBytes(VCPUS));
    const counts = new SharedArrayBuffer((VCPUS * COUNT_WORDS + 1) * 4);
    this.controllers = new InterruptControllers({ buffer, vcpus: VCPUS, clock });
    this.controllers.initialise();
    this.#counts = new Int32Array(counts);
    this.#workers = IDS.map((id) => {
      const workerData: IpiVcpuData = { buffer, counts, id, vcpus: VCPUS, rounds };
      const worker = new Worker(new URL('./testing/ipi-vcpu.ts', import.meta.url), { workerData });
      worker.on('message', (message: string) => this.#messages.push(message));
      return worker;
    });
  }

  taken(id: number, vector: number): number {
    return Atomics.load(this.#counts, id * COUNT_WORDS + 1 + vector);
  }

  nmisTaken(id: number): number {
    return Atomics.load(this.#counts, id * COUNT_WORDS);
  }

  /** Until every vCPU has said it. */
  async all(message: string): Promise<void> {
    while (this.#messages.filter((it) => it === message).length < VCPUS) await sleep(1);
  }

  startPhase(phase: number): void {
    Atomics.store(this.#counts, VCPUS * COUNT_WORDS, phase);
    for (const id of IDS) this.controllers.vcpu(id).wake();
  }

  async stop(): Promise<void> {
    const exits = this.#workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
    this.startPhase(PHASE_STOP);
    await Promise.all(exits);
  }

  /** Ends threads that a failed test left behind. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}

test('IPIs of four threads to each other: none lost, none twice', { timeout: TIMEOUT_MS }, async () => {
  const rounds = 3000;
  await using threads = new VcpuThreads(rounds);
  await threads.all('ready');
  threads.startPhase(PHASE_SEND);
  await threads.all('sent');
  await threads.stop();
  for (const to of IDS)
    for (const from of IDS)
      for (const vector of [PING, PONG])
        assert.equal(threads.taken(to, vector + from), to === from ? 0 : rounds);
});

test('messages, NMIs and lines of the main thread reach halted vCPUs', { timeout: TIMEOUT_MS }, async () => {
  await using threads = new VcpuThreads(0);
  const { controllers } = threads;
  await threads.all('ready');
  const pin = 20;
  controllers.writeIoapic(0, 4, 0x11 + 2 * pin);
  controllers.writeIoapic(0x10, 4, 3 << 24);
  controllers.writeIoapic(0, 4, 0x10 + 2 * pin);
  controllers.writeIoapic(0x10, 4, LINE_VECTOR);
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
    await waitFor(() => threads.taken(3, LINE_VECTOR) === round);
  }
  await threads.stop();
});
