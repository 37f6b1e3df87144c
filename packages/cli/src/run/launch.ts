/** The start of a run: first the vCPUs' threads, which load while everything else does. */
import { makeVcpuThreads } from '@vireo/vmm/vcpu/vcpu-thread';
import type { RunOptions } from './options.ts';

/** Returns the exit status. */
export async function launch(options: RunOptions): Promise<number> {
  const threads = makeVcpuThreads(options.cpus);
  const { runVirtualMachine } = await import('./run.ts');
  return await runVirtualMachine(options, threads);
}
