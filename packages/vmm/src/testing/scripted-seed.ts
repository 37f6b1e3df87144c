/** What passes from a scripted vCPU's handle to its thread. */
import type { VcpuSeed } from '@vireo/hypervisor';

export interface ScriptedSeed extends VcpuSeed {
  /** What the vCPU does, step by step: see `scripted-vcpu.ts`. */
  readonly script: string;
  /** Words of 32 bits. */
  readonly control: SharedArrayBuffer;
}

export const CONTROL = {
  /** 1 from a kick until a `run` answers it. */
  kicked: 0,
  /** 1 while a thread has the vCPU open. */
  open: 1,
  /** 1 once the VM was closed: nothing may use it any more. */
  vmClosed: 2,
  /** How often something used it all the same. */
  usedAfterClose: 3,
  /** How often `run` was called. */
  runs: 4,
  words: 8,
} as const;
