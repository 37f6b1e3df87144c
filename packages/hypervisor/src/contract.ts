/**
 * The contract between the machine and what runs its processors: Hypervisor → Vm → Vcpu, in the shape and the
 * words of Linux's KVM API. `kvm` implements it on /dev/kvm, `x86-engine` in WebAssembly; devices never learn which.
 *
 * Threads. A `Vm` belongs to the thread that created it. A vCPU belongs to the thread that opened it, usually a
 * worker of its own: `Vm.createVcpu` gives a handle whose `seed` survives structured cloning, and the accelerator's
 * `openVcpu(seed)` turns it into a `Vcpu` in that thread. A kick may come from any thread: through the handle in the
 * VM's, through the accelerator's `openKick(seed)` in another. So may interrupts: through the `Vm`, or `Vcpu.interrupts`.
 *
 * Errors. What the host refuses is thrown as an error with the system call's name; what the guest does is an exit.
 */
import type { MemoryBacking } from '@vireo/guest-memory';
import type { VcpuExit } from './exits.ts';
import type { GsiRoute, InterruptControllerState, InterruptSink } from './interrupts.ts';
import type {
  CpuidEntry,
  DebugRegisters,
  ExtendedState,
  GeneralRegisters,
  LapicState,
  MpState,
  MsrEntry,
  SpecialRegisters,
  VcpuEvents,
  VcpuState,
} from './vcpu-state.ts';

export type AcceleratorName = 'kvm' | 'wasm';

export interface Hypervisor {
  readonly name: AcceleratorName;
  readonly capabilities: HypervisorCapabilities;
  /** The CPUID leaves this accelerator and host can show a guest. */
  supportedCpuid(): CpuidEntry[];
  createVm(options?: VmOptions): Vm;
  close(): void;
}

export interface HypervisorCapabilities {
  readonly maxVcpus: number;
  readonly maxMemorySlots: number;
  /** Of all slots together; null where only the host's memory limits it. */
  readonly maxMemoryBytes: number | null;
  readonly readonlyMemory: boolean;
  readonly hardwareBreakpoints: number;
  readonly tscDeadlineTimer: boolean;
}

export interface VmOptions {
  /**
   * 'in-kernel': the accelerator has PICs, an I/O APIC (24 pins), a PIT (GSI 0) and a LAPIC per vCPU, and a halted vCPU
   * waits inside `run`. Until `setGsiRouting`, GSI n leads to pin n of the I/O APIC and, below 16, to input n of the PICs. 'none': HLT is an exit and `Vcpu.injectInterrupt` delivers. Default 'none'.
   */
  readonly interruptControllers?: 'in-kernel' | 'none';
}

/** A range of guest physical memory backed by host memory (Linux KVM API §4.35 "KVM_SET_USER_MEMORY_REGION"). */
export interface MemorySlot {
  readonly id: number;
  /** Page-aligned. */
  readonly gpa: number;
  /** Whole pages. */
  readonly sizeBytes: number;
  readonly backing: MemoryBacking;
  /** Page-aligned, in bytes. */
  readonly backingOffset: number;
  /** Guest writes become MMIO exits. */
  readonly readonly?: boolean;
  readonly logDirtyPages?: boolean;
}

/** The guest's view of time (Linux KVM API §4.30 "KVM_SET_CLOCK"). */
export interface ClockState {
  version: 1;
  /** kvmclock's value: nanoseconds since the VM was made. */
  nanoseconds: bigint;
}

export interface Vm extends InterruptSink {
  readonly id: number;
  /**
   * Adds a slot, or moves or changes the one with this id; atomic towards running vCPUs' accesses elsewhere.
   * @throws when it overlaps another; then nothing has changed
   */
  setMemorySlot(slot: MemorySlot): void;
  /** The range becomes MMIO. */
  deleteMemorySlot(id: number): void;
  /**
   * One bit a page written by the guest since the last call; atomically read and cleared. Starts empty whenever logging
   * is turned on.
   * @throws when the slot keeps no log
   */
  takeDirtyLog(id: number): Uint8Array;
  /** Ids count from 0 and are the vCPUs' APIC ids. */
  createVcpu(id: number): VcpuHandle;
  /** Replaces the whole routing table. */
  setGsiRouting(routes: readonly GsiRoute[]): void;
  getInterruptControllers(): InterruptControllerState;
  setInterruptControllers(state: InterruptControllerState): void;
  getClock(): ClockState;
  setClock(clock: ClockState): void;
  /** Ends the VM: its vCPUs must be closed. Releases what the accelerator holds of the host. */
  close(): void;
}

/** What another thread needs to open a vCPU: plain data for `postMessage`. Only its own accelerator reads it. */
export interface VcpuSeed {
  readonly accelerator: AcceleratorName;
  readonly id: number;
}

/** A vCPU seen from outside its thread. */
export interface VcpuHandle {
  readonly id: number;
  readonly seed: VcpuSeed;
  /** Opens the vCPU in the calling thread; once. */
  open(): Vcpu;
  /**
   * Makes the `run` in progress, or else the next one, return 'interrupted' soon. Never lost; several kicks may
   * be answered by one exit.
   */
  kick(): void;
  /** After the vCPU's thread closed it. */
  close(): void;
}

/** Turns a seed into a vCPU of the calling thread. */
export type OpenVcpu = (seed: VcpuSeed) => Vcpu;

/** `VcpuHandle.kick` for a thread that has only the seed; harmless once the vCPU is closed. */
export interface VcpuKick {
  kick(): void;
  close(): void;
}

/** Turns a seed into a kick of the calling thread. */
export type OpenKick = (seed: VcpuSeed) => VcpuKick;

/** What the debugger of a guest asks for (Linux KVM API §4.87 "KVM_SET_GUEST_DEBUG"). */
export interface GuestDebug {
  readonly singleStep?: boolean;
  /** INT3 in the guest becomes a debug exit. */
  readonly softwareBreakpoints?: boolean;
  /**
   * Replaces the guest's own debug registers while set; at most `hardwareBreakpoints`. An execute breakpoint stops before
   * its instruction, and again there at the next `run` until it is taken away.
   */
  readonly hardwareBreakpoints?: readonly HardwareBreakpoint[];
}

export interface HardwareBreakpoint {
  /** Linear address. */
  readonly address: bigint;
  readonly condition: 'execute' | 'write' | 'read-write';
  /** 1 for 'execute'. */
  readonly lengthBytes: 1 | 2 | 4 | 8;
}

export interface Vcpu {
  readonly id: number;
  /** Raises interrupts from the vCPU's own thread. */
  readonly interrupts: InterruptSink;

  /** Enters the guest until something needs the host. After an 'io' or 'mmio' exit the answer is in its `data`. */
  run(): VcpuExit;
  /** While set, every `run` finishes the exit in progress and returns 'interrupted' without running the guest. */
  setImmediateExit(on: boolean): void;
  /**
   * Goes on with the instruction of the last 'io' or 'mmio' exit and runs no other. 'interrupted' says that it is
   * finished and the state can be read; another 'io' or 'mmio' exit is its next part (REP, a page crossed) and is
   * to be served and completed like the first.
   */
  completeExit(): VcpuExit;

  getRegisters(): GeneralRegisters;
  setRegisters(registers: GeneralRegisters): void;
  getSpecialRegisters(): SpecialRegisters;
  setSpecialRegisters(registers: SpecialRegisters): void;
  getExtendedState(): ExtendedState;
  setExtendedState(state: ExtendedState): void;
  /** The MSRs asked for, without those this accelerator does not know. */
  getMsrs(indices: readonly number[]): MsrEntry[];
  /** @throws when the accelerator refuses one, naming it. */
  setMsrs(msrs: readonly MsrEntry[]): void;
  getLapic(): LapicState;
  setLapic(state: LapicState): void;
  getEvents(): VcpuEvents;
  setEvents(events: VcpuEvents): void;
  getMpState(): MpState;
  setMpState(state: MpState): void;
  getDebugRegisters(): DebugRegisters;
  setDebugRegisters(registers: DebugRegisters): void;
  /** Before the first `run`; the vCPU shows exactly these leaves, save what depends on its state (OSXSAVE, APIC id in x2APIC leaves). */
  setCpuid(entries: readonly CpuidEntry[]): void;
  getCpuid(): CpuidEntry[];
  setGuestDebug(debug: GuestDebug): void;

  /**
   * Delivers an external interrupt at the next `run`, on a VM without in-kernel controllers. Whether the guest can take
   * one is the caller's to know: after 'interrupt-window', or after 'hlt' with IF set.
   */
  injectInterrupt(vector: number): void;
  /** While on, `run` returns 'interrupt-window' when the guest can take an external interrupt. */
  requestInterruptWindow(on: boolean): void;
  injectNmi(): void;

  /** Takes the whole state. After an 'io' or 'mmio' exit, call `completeExit` first. */
  save(): VcpuState;
  /** @throws RangeError when the state's version is not known. */
  restore(state: VcpuState): void;
  /** Releases what this thread holds of the vCPU. */
  close(): void;
}
