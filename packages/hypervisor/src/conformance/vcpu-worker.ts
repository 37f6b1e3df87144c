/** A thread for one vCPU after the other; see vcpu-thread.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import type { OpenVcpu, Vcpu } from '../contract.ts';
import type { VcpuExit } from '../exits.ts';
import { answer, copyExit, exitValue, isReport } from './exit-data.ts';
import { setUpVcpu } from './vcpu-setup.ts';
import {
  CONTROL_MMIO_READS,
  CONTROL_STOP,
  type RunLoopOptions,
  type ThreadMessage,
  type ThreadRequest,
} from './vcpu-thread.ts';
import type { OpenRequest, PoolData } from './worker-pool.ts';

const { workerModule } = workerData as PoolData;
const { openVcpu } = (await import(workerModule)) as { openVcpu: OpenVcpu };

let current: { readonly vcpu: Vcpu; readonly control: Int32Array } | undefined;

function post(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}

function opened() {
  if (current === undefined) throw new Error('no vCPU is open in this thread');
  return current;
}

function open({ seed, setup, control }: OpenRequest): void {
  const vcpu = openVcpu(seed);
  current = { vcpu, control: new Int32Array(control) };
  setUpVcpu(vcpu, setup);
}

/** Runs the guest until something stops it. */
function runLoop(options: RunLoopOptions): VcpuExit {
  const { vcpu, control } = opened();
  for (;;) {
    const exit = vcpu.run();
    if (isReport(exit)) {
      post({ kind: 'report', value: Number(exitValue(exit)) });
    } else if (exit.kind === 'mmio' && options.mmioValue !== undefined) {
      if (exit.direction === 'write') continue;
      answer(exit, options.mmioValue);
      Atomics.add(control, CONTROL_MMIO_READS, 1);
    } else if (exit.kind !== 'interrupted') {
      return exit;
    } else if (options.stopWhenInterrupted || Atomics.load(control, CONTROL_STOP) !== 0) {
      return exit;
    }
  }
}

function serve(request: Exclude<ThreadRequest, { kind: 'run' }>): unknown {
  if (request.kind === 'open') return open(request);
  const { vcpu } = opened();
  if (request.kind === 'close') {
    vcpu.close();
    current = undefined;
    return undefined;
  }
  const method = vcpu[request.method] as (...args: readonly unknown[]) => unknown;
  return method.apply(vcpu, [...request.args]);
}

parentPort?.on('message', (request: ThreadRequest) => {
  if (request.kind === 'run') {
    const exit = runLoop(request.options);
    post({ kind: 'stopped', exit: copyExit(exit), atNs: process.hrtime.bigint() });
    return;
  }
  try {
    post({ kind: 'result', value: serve(request) });
  } catch (error) {
    post({ kind: 'error', error });
  }
});
post({ kind: 'ready' });
