/**
 * The state of a vCPU in a neutral form: what Intel's and AMD's manuals define, not how an accelerator keeps it. A
 * machine saved under one accelerator resumes under another. Register-sized values are bigint, always unsigned.
 */

/** The version of `VcpuState` and of every type it is made of. */
export const VCPU_STATE_VERSION = 1;

/** Names of the general registers, in the order of their encodings (Intel SDM Vol. 2A §2.2.1.2 "More on REX Prefix Fields"). */
export const GENERAL_REGISTER_NAMES = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
] as const;

export type GeneralRegisterName = (typeof GENERAL_REGISTER_NAMES)[number];

export type GeneralRegisters = { [name in GeneralRegisterName | 'rip' | 'rflags']: bigint };

/** A segment register with its hidden part (Intel SDM Vol. 3A §3.4.3 "Segment Registers", §3.4.5 "Segment Descriptors"). */
export interface Segment {
  selector: number;
  base: bigint;
  /** In bytes, whatever the granularity: the highest valid offset. */
  limit: number;
  /** The descriptor's type field, 4 bits. */
  type: number;
  /** Code or data (true) or system (false): the S flag. */
  nonSystem: boolean;
  dpl: number;
  present: boolean;
  available: boolean;
  /** 64-bit code: the L flag. */
  long: boolean;
  /** The D/B flag. */
  defaultBig: boolean;
  /** The G flag. */
  granularity: boolean;
  /** The register holds the null selector and faults on use. */
  unusable: boolean;
}

export interface DescriptorTable {
  base: bigint;
  limit: number;
}

export const SEGMENT_NAMES = ['cs', 'ds', 'es', 'fs', 'gs', 'ss', 'tr', 'ldt'] as const;
export type SegmentName = (typeof SEGMENT_NAMES)[number];

/** Segments, descriptor tables, control registers, EFER and the APIC base (Intel SDM Vol. 3A §2.1 "Overview of the System-Level Architecture"). */
export interface SpecialRegisters extends Record<SegmentName, Segment> {
  gdt: DescriptorTable;
  idt: DescriptorTable;
  cr0: bigint;
  cr2: bigint;
  cr3: bigint;
  cr4: bigint;
  /** The task priority, where CR8 reads it. */
  cr8: bigint;
  efer: bigint;
  apicBase: bigint;
}

/** x87, SSE and extended state in the standard, non-compacted format (Intel SDM Vol. 1 §13.4 "XSAVE Area"). */
export interface ExtendedState {
  xcr0: bigint;
  /** 512 bytes of legacy region, 64 of header, then the extended region. */
  area: Uint8Array;
}

export interface MsrEntry {
  index: number;
  value: bigint;
}

/** Events in the middle of their delivery (Intel SDM Vol. 3A chapter 6 "Interrupt and Exception Handling"). */
export interface VcpuEvents {
  exception: {
    /** Found, but its side effects (CR2, DR6) are still to be done. */
    pending: boolean;
    /** To be delivered before the next instruction. */
    injected: boolean;
    vector: number;
    errorCode: number | null;
    /** What goes to CR2 or DR6 when a pending exception is delivered. */
    payload: bigint | null;
  };
  interrupt: {
    injected: boolean;
    vector: number;
    /** From INT n, not from a pin. */
    soft: boolean;
    /** Blocked by STI (bit 0) or MOV SS (bit 1) for one instruction; both where the two are not told apart. */
    shadow: number;
  };
  nmi: { injected: boolean; pending: boolean; masked: boolean };
  sipiVector: number;
  smi: { inSmm: boolean; pending: boolean; smmInsideNmi: boolean; latchedInit: boolean };
  tripleFaultPending: boolean;
}

/** What the vCPU is doing as a processor among others (Intel SDM Vol. 3A §8.4 "Multiple-Processor (MP) Initialization"). */
export type MpState = 'runnable' | 'uninitialized' | 'init-received' | 'halted' | 'sipi-received';

export interface DebugRegisters {
  /** DR0 to DR3. */
  addresses: [bigint, bigint, bigint, bigint];
  dr6: bigint;
  dr7: bigint;
}

/** One CPUID leaf, or subleaf where `subleaf` is not null. */
export interface CpuidEntry {
  leaf: number;
  subleaf: number | null;
  eax: number;
  ebx: number;
  ecx: number;
  edx: number;
}

/** The registers of the local APIC as its 4 KiB page lays them out, the first 1,024 bytes (Intel SDM Vol. 3A §10.4.1 "The Local APIC Block Diagram"). */
export type LapicState = Uint8Array;

/** Everything that a vCPU needs to go on elsewhere. */
export interface VcpuState {
  version: typeof VCPU_STATE_VERSION;
  cpuid: CpuidEntry[];
  registers: GeneralRegisters;
  special: SpecialRegisters;
  extended: ExtendedState;
  msrs: MsrEntry[];
  /** Null on a VM without interrupt controllers. */
  lapic: LapicState | null;
  events: VcpuEvents;
  mpState: MpState;
  debug: DebugRegisters;
  /** Frequency of the guest's time-stamp counter; 0 when the accelerator does not know. */
  tscKhz: number;
}
