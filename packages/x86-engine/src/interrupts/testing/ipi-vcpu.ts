/**
 * A vCPU's thread for interrupt-threads.test.ts: sends an IPI to every other vCPU, and the next one when it was answered;
 * answers theirs; halts whenever there is nothing to take. So one lost interrupt, or one lost wake, stops it for ever.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { InterruptControllers } from '../interrupt-controllers.ts';
import { PENDING_INTERRUPT, PENDING_NMI } from '../lapic.ts';
import * as apic from '../lapic-registers.ts';
import type { VcpuInterrupts } from '../vcpu-interrupts.ts';

export interface IpiVcpuData {
  readonly buffer: SharedArrayBuffer;
  /** `COUNT_WORDS` words for each vCPU, then `PHASE_…`. */
  readonly counts: SharedArrayBuffer;
  readonly id: number;
  readonly vcpus: number;
  /** IPIs to send to each other vCPU. */
  readonly rounds: number;
}

/** Words of a vCPU: NMIs taken, then interrupts taken by vector. */
export const COUNT_WORDS = 257;

export const PHASE_WAIT = 0;
export const PHASE_SEND = 1;
export const PHASE_STOP = 2;

/** Vectors by sender, so that none is requested twice at the same time: that would be one interrupt. */
export const PING = 0x40;
export const PONG = 0xa0;
/** What the main thread sends. */
export const MAIN_VECTOR = 0x30;
export const LINE_VECTOR = 0x90;

class IpiVcpu {
  readonly #data: IpiVcpuData;
  readonly #vcpu: VcpuInterrupts;
  readonly #counts: Int32Array;
  readonly #sent: number[];

  constructor(data: IpiVcpuData) {
    const clock = { now: () => process.hrtime.bigint(), readTsc: () => 0n, tscKhz: 1_000_000 };
    this.#data = data;
    this.#vcpu = new InterruptControllers({ buffer: data.buffer, vcpus: data.vcpus, clock }).vcpu(data.id);
    this.#counts = new Int32Array(data.counts);
    this.#sent = Array(data.vcpus).fill(0);
    this.#vcpu.writePage(apic.APIC_SVR, 4, 0x1ff);
  }

  haltUntil(condition: () => boolean): void {
    while (!condition()) {
      const wakes = this.#vcpu.wakeCount;
      if ((this.#vcpu.pending & (PENDING_INTERRUPT | PENDING_NMI)) === 0 && !condition())
        this.#vcpu.sleep(wakes);
      this.#takeAll();
    }
  }

  get phase(): number {
    return Atomics.load(this.#counts, this.#data.vcpus * COUNT_WORDS);
  }

  sendAll(): void {
    const { id, vcpus, rounds } = this.#data;
    const others = Array.from({ length: vcpus }, (_, target) => target).filter((target) => target !== id);
    if (rounds > 0) for (const target of others) this.#sendPing(target);
    this.haltUntil(() => others.every((target) => this.#taken(PONG + target) === rounds));
  }

  #takeAll(): void {
    const { id, vcpus, rounds } = this.#data;
    if (this.#vcpu.takeNmi()) Atomics.add(this.#counts, id * COUNT_WORDS, 1);
    for (let vector = this.#vcpu.acknowledge(); vector >= 0; vector = this.#vcpu.acknowledge()) {
      this.#vcpu.writePage(apic.APIC_EOI, 4, 0);
      Atomics.add(this.#counts, id * COUNT_WORDS + 1 + vector, 1);
      if (vector >= PONG && this.#sent[vector - PONG]! < rounds) this.#sendPing(vector - PONG);
      if (vector >= PING && vector < PING + vcpus) this.#sendIpi(vector - PING, PONG + id);
    }
  }

  #sendPing(target: number): void {
    this.#sent[target]!++;
    this.#sendIpi(target, PING + this.#data.id);
  }

  #sendIpi(target: number, vector: number): void {
    this.#vcpu.writePage(apic.APIC_ICR_HIGH, 4, (target << 24) >>> 0);
    this.#vcpu.writePage(apic.APIC_ICR_LOW, 4, 0x4000 | vector);
  }

  #taken(vector: number): number {
    return Atomics.load(this.#counts, this.#data.id * COUNT_WORDS + 1 + vector);
  }
}

if (parentPort) {
  const vcpu = new IpiVcpu(workerData as IpiVcpuData);
  parentPort.postMessage('ready');
  vcpu.haltUntil(() => vcpu.phase !== PHASE_WAIT);
  if (vcpu.phase === PHASE_SEND) vcpu.sendAll();
  parentPort.postMessage('sent');
  vcpu.haltUntil(() => vcpu.phase === PHASE_STOP);
}
