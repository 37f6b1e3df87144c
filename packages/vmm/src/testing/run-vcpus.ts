/** Starts threads of `accessing-vcpu.ts`. */
import { Worker } from 'node:worker_threads';
import type { AccessingVcpuData, AccessingVcpuResult } from './accessing-vcpu.ts';

/** Resolves when the thread has made its accesses. */
export function startVcpu(data: AccessingVcpuData): Promise<AccessingVcpuResult> {
  const worker = new Worker(new URL('./accessing-vcpu.ts', import.meta.url), { workerData: data });
  worker.unref(); // a thread that hangs must not keep a test that has failed from ending
  return new Promise((resolve, reject) => {
    worker.on('message', resolve).on('error', reject);
    worker.on('exit', () => reject(new Error('the thread ended without a result')));
  });
}

/** Fails when the work takes longer: a lost wake is a hang. */
export async function withinMs<T>(limitMs: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`not done after ${limitMs} ms`)), limitMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
