/** A vCPU's thread for locked-instructions.test.ts: runs the same few instructions again and again, as others do at once. */
import { parentPort, workerData } from 'node:worker_threads';
import { CPU_STATE_STRIDE_BYTES, offsetOf } from '../../cpu-state.ts';
import { bareHost } from '../../testing/bare-host.ts';
import { instantiate } from '../../testing/test-interpreter.ts';
import { setTlbEntry } from '../../tlb.ts';

export interface LockingVcpuData {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** From 0. */
  readonly id: number;
  readonly rounds: number;
}

export const MAX_VCPUS = 4;
/** Where things are: a TLB for all vCPUs, each vCPU's records, and what all of them write. */
export const TLB = 0x14000;
export const RECORDS = 0x20000;
export const RECORDS_STRIDE_BYTES = 0x4000;
export const DATA = 0x30000;
/** How many vCPUs are ready: a word that all wait at. */
export const BARRIER = 0x3f000;

export const stateOf = (id: number): number => (id + 1) * CPU_STATE_STRIDE_BYTES;
export const recordsOf = (id: number): number => RECORDS + id * RECORDS_STRIDE_BYTES;

function run({ module, memory, id, rounds }: LockingVcpuData, vcpus: number): void {
  const slow = () => {
    throw new Error('an access outside of the data');
  };
  const host = { memory, ...bareHost(slow) };
  const exports = instantiate(module, host);
  const view = new DataView(memory.buffer);
  view.setUint32(stateOf(id) + offsetOf('tlb'), TLB, true);
  // The data is where its linear address says.
  setTlbEntry(view, TLB, { gva: BigInt(DATA), address: DATA, writable: true });
  const barrier = new Int32Array(memory.buffer, BARRIER, 1);
  Atomics.add(barrier, 0, 1);
  while (Atomics.load(barrier, 0) < vcpus);
  for (let round = 0; round < rounds; round++) exports.run(stateOf(id), recordsOf(id));
}

if (parentPort) {
  const data = workerData as LockingVcpuData & { readonly vcpus: number };
  run(data, data.vcpus);
  parentPort.postMessage('done');
}
