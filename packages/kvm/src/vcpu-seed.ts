/** What passes from a KVM vCPU's handle to the threads that open and kick it. */
import type { VcpuSeed } from '@vireo/hypervisor';
import type { EventSupport } from './structs/events.ts';

/** What a thread needs to open a KVM vCPU: files are the whole process's. */
export interface KvmVcpuSeed extends VcpuSeed {
  readonly accelerator: 'kvm';
  readonly vmFd: number;
  readonly vcpuFd: number;
  readonly runSizeBytes: number;
  readonly xsaveSizeBytes: number;
  readonly eventSupport: EventSupport;
  readonly inKernelControllers: boolean;
  /** `CONTROL_WORDS` words of 32 bits; see kick.ts. */
  readonly control: SharedArrayBuffer;
}

/** Indices of the control words that a vCPU's thread and those that kick it share. */
export const CONTROL_THREAD_ID = 0;
/** 1 from a kick until a `run` answers it. */
export const CONTROL_KICKED = 1;
export const CONTROL_WORDS = 4;

export function asKvmSeed(seed: VcpuSeed): KvmVcpuSeed {
  if (seed.accelerator !== 'kvm') throw new TypeError(`not a KVM vCPU: ${seed.accelerator}`);
  return seed as KvmVcpuSeed;
}
