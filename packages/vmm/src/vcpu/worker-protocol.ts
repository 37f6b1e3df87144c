/** What the main thread and a vCPU's thread tell each other outside the mailbox. */

import type { CpuidEntry, GeneralRegisters, MsrEntry, SpecialRegisters, VcpuSeed } from '@vireo/hypervisor';
import type { HostErrorDetails } from '@vireo/linux/host-error';

/** Given when the thread is made, before there is a VM: threads load while the program and the kernel do. */
export interface VcpuWorkerData {
  readonly id: number;
}

/** Starts the vCPU; the thread's only message. Null instead ends the thread: there will be no vCPU. */
export interface VcpuStart {
  readonly seed: VcpuSeed;
  readonly mailbox: SharedArrayBuffer;
  /** Whether this host has a processor for each side of the mailbox. */
  readonly spins: boolean;
  readonly uart: SharedArrayBuffer;
  readonly cpuid: readonly CpuidEntry[];
  readonly msrs: readonly MsrEntry[];
  /** Of the boot vCPU; the others wait for INIT and SIPI. */
  readonly registers: {
    readonly general: GeneralRegisters;
    readonly special: SpecialRegisters;
  } | null;
  /** Monotonic host time, in nanoseconds, at which the guest's PM timer was 0. */
  readonly pmTimerEpochNs: bigint;
  /** Whether the thread tells of instructions that the engine lacks. */
  readonly reportsUndefined: boolean;
}

/** One that the engine lacks, or none at all. */
export interface UndefinedInstruction {
  /** Its linear address. */
  readonly gva: bigint;
  /** Disassembled, with its bytes; empty where no memory is. */
  readonly text: string;
}

/** What a vCPU's thread says while it runs, and at last. */
export type VcpuMessage =
  | { readonly kind: 'undefined-instruction'; readonly instruction: UndefinedInstruction }
  | VcpuEnd;

/** How a vCPU's thread ended; its last message. */
export type VcpuEnd =
  | { readonly kind: 'stopped' }
  | {
      readonly kind: 'failed';
      readonly failure: 'triple-fault' | 'internal-error' | 'fail-entry';
      readonly message: string;
      readonly registers: string;
    }
  /** What the host refused: a HostError in parts, since an error loses its class on the way. */
  | {
      readonly kind: 'refused';
      readonly call: string;
      readonly errno: number;
      readonly details: HostErrorDetails;
    }
  /** Any other error thrown in the thread: our own bug. */
  | { readonly kind: 'error'; readonly error: unknown };
