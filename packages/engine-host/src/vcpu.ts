/** The engine's vCPUs in threads of Node. */
import { randomFillSync } from 'node:crypto';
import type { Vcpu, VcpuKick, VcpuSeed } from '@vireo/hypervisor';
import { openEngineKick, openEngineVcpu } from '@vireo/x86-engine/engine-seed';
import type { UndefinedListener } from '@vireo/x86-engine/vcpu/code-fetch';
import type { EngineThread } from '@vireo/x86-engine/vcpu/vcpu-host';
import { RestingHeap } from './resting-heap.ts';

const NANOSECONDS_PER_MS = 1_000_000n;
const POOL_WORDS = 128;

/** Random numbers are taken from the system many at a time. */
const pool = new BigUint64Array(POOL_WORDS);
let left = 0;

const heap = new RestingHeap();

export const THREAD: EngineThread = {
  now: () => process.hrtime.bigint(),
  unixNow: () => BigInt(Date.now()) * NANOSECONDS_PER_MS,
  random() {
    if (left === 0) {
      randomFillSync(pool);
      left = POOL_WORDS;
    }
    return pool[--left]!;
  },
  beforeSleep: () => heap.beforeSleep(),
};

/** `onUndefined`: told of what the guest executes that is no instruction of the engine's table. */
export function openVcpu(seed: VcpuSeed, onUndefined?: UndefinedListener): Vcpu {
  return openEngineVcpu(seed, THREAD, onUndefined);
}

export function openKick(seed: VcpuSeed): VcpuKick {
  return openEngineKick(seed);
}
