/** A vCPU on a KVM vCPU file, in the thread that runs it (Linux KVM API §4, "vcpu ioctl"). */
import type {
  CpuidEntry,
  DebugRegisters,
  ExtendedState,
  GeneralRegisters,
  GuestDebug,
  InterruptSink,
  LapicState,
  MpState,
  MsrEntry,
  SpecialRegisters,
  Vcpu,
  VcpuEvents,
  VcpuExit,
  VcpuSeed,
  VcpuState,
} from '@vireo/hypervisor';
import { VCPU_STATE_VERSION } from '@vireo/hypervisor/vcpu-state';
import { gettid, Mapping, tryIoctlValue } from '@vireo/linux';
import * as abi from './abi.ts';
import { RunPage } from './exit-decoder.ts';
import { KvmInterruptSink } from './interrupt-sink.ts';
import { kvmIoctl, kvmIoctlPointer, refuse } from './ioctl.ts';
import { SAVED_MSRS } from './saved-msrs.ts';
import { cpuidBuffer, decodeCpuid, encodeCpuid, encodeMsrs, msrValue } from './structs/cpuid.ts';
import * as events from './structs/events.ts';
import {
  decodeRegisters,
  decodeSpecialRegisters,
  encodeRegisters,
  encodeSpecialRegisters,
} from './structs/registers.ts';
import { asKvmSeed, CONTROL_KICKED, CONTROL_THREAD_ID, type KvmVcpuSeed } from './vcpu-seed.ts';

const EINTR = 4;
const EAGAIN = 11;
/** KVM_GET_CPUID2 fails with E2BIG beyond; no processor has that many leaves. */
const CPUID_LEAVES_MAX = 256;
const INTERRUPTED: VcpuExit = { kind: 'interrupted' };

/** Opens the vCPU of a seed in the calling thread, which then owns it. */
export function openVcpu(seed: VcpuSeed): Vcpu {
  return new KvmVcpu(asKvmSeed(seed));
}

export class KvmVcpu implements Vcpu {
  readonly id: number;
  readonly interrupts: InterruptSink;
  readonly #seed: KvmVcpuSeed;
  readonly #fd: number;
  readonly #mapping: Mapping;
  readonly #run: RunPage;
  readonly #control: Int32Array;
  #immediateExit = false;

  constructor(seed: KvmVcpuSeed) {
    this.#seed = seed;
    this.id = seed.id;
    this.#fd = seed.vcpuFd;
    this.#mapping = Mapping.map({ fd: seed.vcpuFd, lengthBytes: seed.runSizeBytes });
    this.#run = new RunPage(this.#mapping.buffer);
    this.#control = new Int32Array(seed.control);
    this.interrupts = new KvmInterruptSink(seed.vmFd);
    Atomics.store(this.#control, CONTROL_THREAD_ID, gettid());
  }

  run(): VcpuExit {
    const result = tryIoctlValue(this.#fd, abi.KVM_RUN, 0);
    if (result >= 0) return this.#run.decode();
    // EAGAIN: a vCPU that waited for SIPI was made runnable; it has not run yet.
    if (result !== -EINTR && result !== -EAGAIN) refuse(abi.KVM_RUN, result);
    Atomics.store(this.#control, CONTROL_KICKED, 0);
    this.#run.immediateExit = this.#immediateExit;
    return INTERRUPTED;
  }

  setImmediateExit(on: boolean): void {
    this.#immediateExit = on;
    this.#resetImmediateExit();
  }

  completeExit(): VcpuExit {
    this.#run.immediateExit = true;
    const result = tryIoctlValue(this.#fd, abi.KVM_RUN, 0);
    this.#resetImmediateExit();
    if (result < 0 && result !== -EINTR) refuse(abi.KVM_RUN, result);
    return result >= 0 ? this.#run.decode() : INTERRUPTED;
  }

  /** A kick that arrived meanwhile has set the flag as well, and is still to be answered by a `run`. */
  #resetImmediateExit(): void {
    this.#run.immediateExit = this.#immediateExit;
    if (Atomics.load(this.#control, CONTROL_KICKED) !== 0) this.#run.immediateExit = true;
  }

  getRegisters(): GeneralRegisters {
    return decodeRegisters(this.#get(abi.KVM_GET_REGS, abi.SIZEOF_KVM_REGS));
  }

  setRegisters(registers: GeneralRegisters): void {
    kvmIoctlPointer(this.#fd, abi.KVM_SET_REGS, encodeRegisters(registers));
  }

  getSpecialRegisters(): SpecialRegisters {
    return decodeSpecialRegisters(this.#get(abi.KVM_GET_SREGS, abi.SIZEOF_KVM_SREGS));
  }

  setSpecialRegisters(registers: SpecialRegisters): void {
    kvmIoctlPointer(this.#fd, abi.KVM_SET_SREGS, encodeSpecialRegisters(registers));
  }

  getExtendedState(): ExtendedState {
    const size = this.#seed.xsaveSizeBytes;
    const area = this.#get(size > 4096 ? abi.KVM_GET_XSAVE2 : abi.KVM_GET_XSAVE, size);
    const xcrs = this.#get(abi.KVM_GET_XCRS, abi.SIZEOF_KVM_XCRS);
    return { xcr0: new DataView(xcrs.buffer).getBigUint64(16, true), area };
  }

  setExtendedState(state: ExtendedState): void {
    const xcrs = new Uint8Array(abi.SIZEOF_KVM_XCRS);
    const view = new DataView(xcrs.buffer);
    view.setUint32(0, 1, true);
    view.setBigUint64(16, state.xcr0, true);
    kvmIoctlPointer(this.#fd, abi.KVM_SET_XCRS, xcrs);
    // KVM reads as many bytes as its own features need, whatever was saved.
    const area = new Uint8Array(Math.max(this.#seed.xsaveSizeBytes, state.area.length));
    area.set(state.area);
    kvmIoctlPointer(this.#fd, abi.KVM_SET_XSAVE, area);
  }

  getMsrs(indices: readonly number[]): MsrEntry[] {
    const known: MsrEntry[] = [];
    for (let rest = indices; rest.length > 0; ) {
      const list = encodeMsrs(rest.map((index) => ({ index, value: 0n })));
      const count = kvmIoctlPointer(this.#fd, abi.KVM_GET_MSRS, list);
      for (let i = 0; i < count; i++) known.push({ index: rest[i]!, value: msrValue(list, i) });
      rest = rest.slice(count + 1); // KVM stops at the first it does not know
    }
    return known;
  }

  setMsrs(msrs: readonly MsrEntry[]): void {
    if (msrs.length === 0) return;
    const count = kvmIoctlPointer(this.#fd, abi.KVM_SET_MSRS, encodeMsrs(msrs));
    const refused = msrs[count];
    if (refused) {
      const value = refused.value.toString(16);
      throw new RangeError(`KVM refuses the value 0x${value} for MSR 0x${refused.index.toString(16)}`);
    }
  }

  getLapic(): LapicState {
    return this.#get(abi.KVM_GET_LAPIC, abi.SIZEOF_KVM_LAPIC_STATE);
  }

  setLapic(state: LapicState): void {
    kvmIoctlPointer(this.#fd, abi.KVM_SET_LAPIC, state);
  }

  getEvents(): VcpuEvents {
    return events.decodeEvents(this.#get(abi.KVM_GET_VCPU_EVENTS, abi.SIZEOF_KVM_VCPU_EVENTS));
  }

  setEvents(state: VcpuEvents): void {
    kvmIoctlPointer(this.#fd, abi.KVM_SET_VCPU_EVENTS, events.encodeEvents(state, this.#seed.eventSupport));
  }

  getMpState(): MpState {
    return events.decodeMpState(new DataView(this.#get(abi.KVM_GET_MP_STATE, 4).buffer).getUint32(0, true));
  }

  setMpState(state: MpState): void {
    kvmIoctlPointer(this.#fd, abi.KVM_SET_MP_STATE, new Uint8Array([events.encodeMpState(state), 0, 0, 0]));
  }

  getDebugRegisters(): DebugRegisters {
    return events.decodeDebugRegisters(this.#get(abi.KVM_GET_DEBUGREGS, abi.SIZEOF_KVM_DEBUGREGS));
  }

  setDebugRegisters(registers: DebugRegisters): void {
    kvmIoctlPointer(this.#fd, abi.KVM_SET_DEBUGREGS, events.encodeDebugRegisters(registers));
  }

  setCpuid(entries: readonly CpuidEntry[]): void {
    kvmIoctlPointer(this.#fd, abi.KVM_SET_CPUID2, encodeCpuid(entries));
  }

  getCpuid(): CpuidEntry[] {
    const list = cpuidBuffer(CPUID_LEAVES_MAX);
    kvmIoctlPointer(this.#fd, abi.KVM_GET_CPUID2, list);
    return decodeCpuid(list);
  }

  setGuestDebug(debug: GuestDebug): void {
    kvmIoctlPointer(this.#fd, abi.KVM_SET_GUEST_DEBUG, events.encodeGuestDebug(debug));
  }

  injectInterrupt(vector: number): void {
    kvmIoctlPointer(this.#fd, abi.KVM_INTERRUPT, new Uint8Array([vector, 0, 0, 0]));
  }

  requestInterruptWindow(on: boolean): void {
    this.#run.interruptWindowRequested = on;
  }

  injectNmi(): void {
    kvmIoctl(this.#fd, abi.KVM_NMI, 0);
  }

  save(): VcpuState {
    return {
      version: VCPU_STATE_VERSION,
      cpuid: this.getCpuid(),
      registers: this.getRegisters(),
      special: this.getSpecialRegisters(),
      extended: this.getExtendedState(),
      msrs: this.getMsrs(SAVED_MSRS),
      lapic: this.#seed.inKernelControllers ? this.getLapic() : null,
      events: this.getEvents(),
      mpState: this.getMpState(),
      debug: this.getDebugRegisters(),
      tscKhz: Math.max(0, tryIoctlValue(this.#fd, abi.KVM_GET_TSC_KHZ, 0)),
    };
  }

  /**
   * The order matters: CPUID decides which registers and MSRs there are, the APIC base precedes the LAPIC, whose
   * mode precedes the TSC deadline, and events come last because register writes clear some of them.
   */
  restore(state: VcpuState): void {
    if (state.version !== VCPU_STATE_VERSION)
      throw new RangeError(`vCPU state of unknown version ${state.version}`);
    this.setCpuid(state.cpuid);
    if (state.tscKhz > 0) tryIoctlValue(this.#fd, abi.KVM_SET_TSC_KHZ, state.tscKhz); // best effort: needs TSC scaling
    this.setSpecialRegisters(state.special);
    this.setRegisters(state.registers);
    this.setExtendedState(state.extended);
    if (state.lapic !== null && this.#seed.inKernelControllers) this.setLapic(state.lapic);
    this.#restoreMsrs(state.msrs);
    this.setDebugRegisters(state.debug);
    this.setMpState(state.mpState);
    this.setEvents(state.events);
  }

  /**
   * Writes only what differs: some of KVM's own MSRs can be read on a VM that refuses to have them written, even with
   * what they hold. One that this host lacks is as good as zero.
   */
  #restoreMsrs(msrs: readonly MsrEntry[]): void {
    const current = new Map(
      this.getMsrs(msrs.map(({ index }) => index)).map((msr) => [msr.index, msr.value]),
    );
    this.setMsrs(msrs.filter(({ index, value }) => (current.get(index) ?? 0n) !== value));
  }

  close(): void {
    Atomics.store(this.#control, CONTROL_THREAD_ID, 0);
    this.#mapping.unmap();
  }

  #get(request: number, sizeBytes: number): Uint8Array {
    const bytes = new Uint8Array(sizeBytes);
    kvmIoctlPointer(this.#fd, request, bytes);
    return bytes;
  }
}
