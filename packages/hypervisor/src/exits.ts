/**
 * Why a vCPU stopped running the guest: one sum type, decoded once by the accelerator. The words and the meaning
 * are KVM's (Linux KVM API §5 "The kvm_run structure").
 *
 * An exit and its `data` are valid until the next `Vcpu.run()` or `Vcpu.completeExit()`: accelerators reuse them,
 * so that a run of exits allocates nothing.
 */

/** IN, OUT, INS or OUTS on an I/O port. `data` holds `count` little-endian items of `sizeBytes`; fill it for 'in'. */
export interface IoExit {
  readonly kind: 'io';
  readonly direction: 'in' | 'out';
  readonly port: number;
  readonly sizeBytes: 1 | 2 | 4;
  /** More than 1 for string instructions with REP; all items go to the same port. */
  readonly count: number;
  readonly data: DataView;
}

/** An access to guest physical memory that no slot backs, or a write to a read-only slot. */
export interface MmioExit {
  readonly kind: 'mmio';
  readonly direction: 'read' | 'write';
  readonly gpa: number;
  /** 1 to 8; an access that crosses a page arrives as two exits. */
  readonly lengthBytes: number;
  readonly data: DataView;
}

/** HLT with interrupts to wait for, on a VM without in-kernel interrupt controllers. */
export interface HltExit {
  readonly kind: 'hlt';
}

/** Triple fault (Intel SDM Vol. 3A §6.15 "Interrupt 8—Double Fault Exception"): the vCPU cannot go on. */
export interface ShutdownExit {
  readonly kind: 'shutdown';
}

/** A guest debug event that `setGuestDebug` asked for. */
export interface DebugExit {
  readonly kind: 'debug';
  /** Vector: 1 (#DB) or 3 (#BP). */
  readonly exception: number;
  /** Linear address of the instruction that comes next, or of the INT3. */
  readonly pc: bigint;
  readonly dr6: bigint;
  readonly dr7: bigint;
}

/** A kick, `setImmediateExit` or any signal; may be spurious. */
export interface InterruptedExit {
  readonly kind: 'interrupted';
}

/** The guest can take an external interrupt now, as `requestInterruptWindow` asked. */
export interface InterruptWindowExit {
  readonly kind: 'interrupt-window';
}

/** The guest asked its hypervisor for something that concerns the whole VM. */
export interface SystemEventExit {
  readonly kind: 'system-event';
  readonly event: 'shutdown' | 'reset' | 'crash' | 'other';
  readonly code: number;
}

/** The processor refused to enter the guest: its state is not one that hardware can have. */
export interface FailEntryExit {
  readonly kind: 'fail-entry';
  readonly hardwareReason: bigint;
}

/** The accelerator cannot run what the guest asks for, an instruction KVM's emulator lacks above all. */
export interface InternalErrorExit {
  readonly kind: 'internal-error';
  /** KVM's suberror: 1 emulation, 2 simultaneous exceptions, 3 delivery, 4 unexpected exit. */
  readonly suberror: number;
  readonly detail: readonly bigint[];
  /** The bytes at the instruction that failed, where the accelerator knows them. */
  readonly instructionBytes: Uint8Array;
}

/** An exit the contract has no meaning for. */
export interface UnknownExit {
  readonly kind: 'unknown';
  readonly reason: number;
}

export type VcpuExit =
  | IoExit
  | MmioExit
  | HltExit
  | ShutdownExit
  | DebugExit
  | InterruptedExit
  | InterruptWindowExit
  | SystemEventExit
  | FailEntryExit
  | InternalErrorExit
  | UnknownExit;
