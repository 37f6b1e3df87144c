/** The thread of one vCPU; see vcpu-thread.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import type { OpenVcpu } from '../contract.ts';
import type { VcpuExit } from '../exits.ts';
import { answer, copyExit, exitValue, isReport } from './exit-data.ts';
import { setUpVcpu } from './vcpu-setup.ts';
import {
  CONTROL_MMIO_READS,
  CONTROL_STOP,
  type RunLoopOptions,
  type ThreadMessage,
  type ThreadRequest,
  type VcpuThreadData,
} from './vcpu-thread.ts';

const { workerModule, seed, setup, control: controlBuffer } = workerData as VcpuThreadData;
const { openVcpu } = (await import(workerModule)) as { openVcpu: OpenVcpu };
const control = new Int32Array(controlBuffer);
const vcpu = openVcpu(seed);
setUpVcpu(vcpu, setup);

function post(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}

/** Runs the guest until something stops it. */
function runLoop(options: RunLoopOptions): VcpuExit {
  for (;;) {
    const exit = vcpu.run();
    if (isReport(exit)) post({ kind: 'report', value: Number(exitValue(exit)) });
    else if (exit.kind === 'mmio' && options.mmioValue !== undefined) serveMmio(exit, options.mmioValue);
    else if (exit.kind !== 'interrupted') return exit;
    else if (options.stopWhenInterrupted || Atomics.load(control, CONTROL_STOP) !== 0) return exit;
  }
}

function serveMmio(exit: Extract<VcpuExit, { kind: 'mmio' }>, value: bigint): void {
  if (exit.direction === 'write') return;
  answer(exit, value);
  Atomics.add(control, CONTROL_MMIO_READS, 1);
}

function call(request: Extract<ThreadRequest, { kind: 'call' }>): void {
  try {
    const method = vcpu[request.method] as (...args: readonly unknown[]) => unknown;
    post({ kind: 'result', value: method.apply(vcpu, [...request.args]) });
  } catch (error) {
    post({ kind: 'error', error });
  }
}

parentPort?.on('message', (request: ThreadRequest) => {
  if (request.kind === 'call') {
    call(request);
  } else if (request.kind === 'run') {
    const exit = runLoop(request.options);
    post({ kind: 'stopped', exit: copyExit(exit), atNs: process.hrtime.bigint() });
  } else {
    vcpu.close();
    parentPort?.close();
  }
});
post({ kind: 'ready' });
