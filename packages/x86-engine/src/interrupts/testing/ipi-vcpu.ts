/**
 * A vCPU's thread for interrupt-threads.test.ts: sends numbered IPIs, each to a vector that its target has acknowledged,
 * and counts what it takes, halted whenever there is nothing to take.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { InterruptControllers } from '../interrupt-controllers.ts';
import { PENDING_INTERRUPT, PENDING_NMI } from '../lapic.ts';
import * as apic from '../lapic-registers.ts';

export interface IpiVcpuData {
  readonly buffer: SharedArrayBuffer;
  /** `COUNTS` words for each vCPU, then whether all senders are done. */
  readonly counts: SharedArrayBuffer;
  readonly id: number;
  readonly vcpus: number;
  /** IPIs to send to each other vCPU. */
  readonly rounds: number;
}

/** Words of a vCPU: NMIs taken, then interrupts taken by vector. */
export const COUNTS = 257;

const FIRST_SENDER_VECTOR = 0x40;

/** Who sends with which vector: a vector that is still requested would swallow the next. */
export function vectorOf(sender: number): number {
  return FIRST_SENDER_VECTOR + sender;
}

/** What the main thread sends while the vCPUs are busy with each other. */
export const MAIN_VECTOR = 0x30;
export const LEVEL_VECTOR = 0x90;

if (parentPort) run(workerData as IpiVcpuData);

function run({ buffer, counts, id, vcpus, rounds }: IpiVcpuData): void {
  const clock = { now: () => process.hrtime.bigint(), readTsc: () => 0n, tscKhz: 1_000_000 };
  const vcpu = new InterruptControllers({ buffer, vcpus, clock }).vcpu(id);
  const taken = new Int32Array(counts);
  const stop = vcpus * COUNTS;
  vcpu.writePage(apic.APIC_SVR, 4, 0x1ff);
  const takeAll = () => {
    if (vcpu.takeNmi()) Atomics.add(taken, id * COUNTS, 1);
    for (let vector = vcpu.acknowledge(); vector >= 0; vector = vcpu.acknowledge()) {
      vcpu.writePage(apic.APIC_EOI, 4, 0);
      Atomics.add(taken, id * COUNTS + 1 + vector, 1);
    }
  };
  /** Halts until something comes, as the engine does. */
  const halt = () => {
    const wakes = vcpu.wakeCount;
    if ((vcpu.pending & (PENDING_INTERRUPT | PENDING_NMI)) === 0 && Atomics.load(taken, stop) === 0)
      vcpu.sleep(wakes);
    takeAll();
  };
  parentPort!.postMessage('ready');
  while (Atomics.load(taken, stop) === 0) {
    if (Atomics.load(taken, stop + 1) !== 0) break;
    halt();
  }
  for (let round = 0; round < rounds; round++) {
    for (let target = 0; target < vcpus; target++) {
      if (target === id) continue;
      // The target's count says that it has taken the last one.
      while (Atomics.load(taken, target * COUNTS + 1 + vectorOf(id)) < round) takeAll();
      vcpu.writePage(apic.APIC_ICR_HIGH, 4, (target << 24) >>> 0);
      vcpu.writePage(apic.APIC_ICR_LOW, 4, 0x4000 | vectorOf(id));
    }
    takeAll();
  }
  parentPort!.postMessage('sent');
  while (Atomics.load(taken, stop) === 0) halt();
  takeAll();
}
