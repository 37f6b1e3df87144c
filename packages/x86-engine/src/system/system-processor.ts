/** What system instructions work on besides registers and memory (processor.ts), and how they are called. */
import type { DebugRegisters } from '@vireo/hypervisor';
import type { SystemOperation } from '@vireo/x86-isa';
import type { Processor } from './processor.ts';

export interface CpuidResult {
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

/**
 * While an operation runs, `general.rip` is the next instruction's address, as it is for a trap; when it throws a
 * GuestFault, the caller puts it back. One that sets it to something else goes on there.
 */
export interface SystemProcessor extends Processor {
  readonly debug: DebugRegisters;
  /** XCR0. */
  xcr0: bigint;
  /** IA32_TSC_AUX. */
  readonly tscAux: number;
  /** undefined: #GP. */
  readMsr(index: number): bigint | undefined;
  /** false: #GP. */
  writeMsr(index: number, value: bigint): boolean;
  /** Without the checks of WRMSR, for what the instruction itself does: LSTAR, STAR, SYSENTER_CS, KERNEL_GS_BASE and the like. */
  msr(index: number): bigint;
  setMsr(index: number, value: bigint): void;
  cpuid(leaf: number, subleaf: number): CpuidResult;
  readTsc(): bigint;
  /** Forgets translations: all, or all but those of global pages (Intel SDM Vol. 3A §4.10.4 "Invalidation of TLBs and Paging-Structure Caches"). */
  invalidateTranslations(which: 'all' | 'non-global'): void;
  invalidatePage(gva: bigint): void;
  /** No interrupts before the next instruction has been executed (STI, MOV SS, POP SS). */
  blockInterrupts(by: 'sti' | 'mov-ss'): void;
  /** Stops until an interrupt; of MWAIT it may go on at once. */
  halt(): void;
  /** VMCALL: the guest asks its hypervisor; the number is in RAX, the answer goes there. */
  hypercall(): void;
}

export interface Operands {
  readonly a: bigint;
  readonly b: bigint;
  readonly operandBits: 16 | 32 | 64;
}

/** @returns what the operation gives, if it gives something. @throws GuestFault; then nothing has changed */
export type Operation = (processor: SystemProcessor, operands: Operands) => bigint | undefined;

/** Ports are the vCPU's own: their accesses may be the machine's to answer. */
export type PortOperation = 'readPort' | 'writePort' | 'readPortString' | 'writePortString';

export type Operations = Readonly<Record<Exclude<SystemOperation, PortOperation>, Operation>>;
