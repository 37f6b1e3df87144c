/** The contract's vCPU over the engine's. */
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
  VcpuState,
} from '@vireo/hypervisor';
import { GENERAL_REGISTER_NAMES, VCPU_STATE_VERSION } from '@vireo/hypervisor/vcpu-state';
import { EXTENDED_STATE_BYTES, restoreExtendedState, saveExtendedState } from '../extended-state.ts';
import { GuestRunner, type RunnerOptions } from './guest-runner.ts';
import { VcpuCore } from './vcpu-core.ts';
import type { VcpuParts } from './vcpu-host.ts';

const PHYSICAL_ADDRESS_LEAF = 0x8000_0008;
const SEGMENTS = ['cs', 'ds', 'es', 'fs', 'gs', 'ss', 'tr', 'ldt'] as const;
const SPECIAL_VALUES = ['gdt', 'idt', 'cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer', 'apicBase'] as const;

/** What the VM's other vCPUs and devices are for this one. */
const NO_INTERRUPTS: InterruptSink = {
  setIrqLine() {
    throw new Error('this VM has no interrupt controllers');
  },
  signalMsi: () => false,
};

export class EngineVcpu implements Vcpu {
  readonly id: number;
  readonly interrupts: InterruptSink;
  readonly #core: VcpuCore;
  readonly #runner: GuestRunner;

  constructor(parts: VcpuParts, onUndefined?: RunnerOptions['onUndefined']) {
    const { id, thread, controllers } = parts;
    this.id = id;
    this.interrupts = controllers ?? NO_INTERRUPTS;
    this.#core = new VcpuCore(parts);
    this.#runner = new GuestRunner(this.#core, { thread, controllers, ...(onUndefined && { onUndefined }) });
    this.#core.general.rip = 0xfff0n;
    this.#core.general.rflags = 2n;
    this.#core.general.rdx = 0x600n;
    // No component in use: all are initial.
    this.setExtendedState({ xcr0: 1n, area: new Uint8Array(EXTENDED_STATE_BYTES) });
    this.#runner.stateChanged();
  }

  run(): VcpuExit {
    return this.#runner.run();
  }

  setImmediateExit(on: boolean): void {
    this.#runner.immediateExit = on;
  }

  completeExit(): VcpuExit {
    return this.#runner.complete();
  }

  getRegisters(): GeneralRegisters {
    return this.#core.general.values();
  }

  setRegisters(registers: GeneralRegisters): void {
    const { general } = this.#core;
    for (const name of [...GENERAL_REGISTER_NAMES, 'rip', 'rflags'] as const)
      general[name] = BigInt.asUintN(64, registers[name]);
    this.#runner.stateChanged();
  }

  getSpecialRegisters(): SpecialRegisters {
    return this.#core.special.values();
  }

  setSpecialRegisters(registers: SpecialRegisters): void {
    const { special } = this.#core;
    for (const name of SEGMENTS) special[name] = { ...registers[name] };
    for (const name of SPECIAL_VALUES) Object.assign(special, { [name]: registers[name] });
    this.#runner.stateChanged();
  }

  getExtendedState(): ExtendedState {
    return saveExtendedState(this.#core.state, 0);
  }

  setExtendedState(state: ExtendedState): void {
    restoreExtendedState(this.#core.state, 0, state);
  }

  getMsrs(indices: readonly number[]): MsrEntry[] {
    return indices.flatMap((index) => {
      const value = this.#core.msrs.read(index);
      return value === undefined ? [] : [{ index, value }];
    });
  }

  setMsrs(msrs: readonly MsrEntry[]): void {
    for (const { index, value } of msrs) {
      if (this.#core.msrs.hostWrite(index, value)) continue;
      throw new RangeError(
        `the engine refuses the value 0x${value.toString(16)} for MSR 0x${index.toString(16)}`,
      );
    }
    this.#runner.stateChanged();
  }

  getLapic(): LapicState {
    return this.#lapic().getLapic();
  }

  setLapic(state: LapicState): void {
    this.#lapic().setLapic(state);
  }

  getEvents(): VcpuEvents {
    return this.#runner.events.get(this.#core.general.rip);
  }

  setEvents(events: VcpuEvents): void {
    this.#runner.events.set(events, this.#core.general.rip);
  }

  getMpState(): MpState {
    return this.#runner.events.mpState;
  }

  setMpState(state: MpState): void {
    this.#runner.events.mpState = state;
  }

  getDebugRegisters(): DebugRegisters {
    const { addresses, dr6, dr7 } = this.#runner.debug.registers;
    return { addresses: [...addresses], dr6, dr7 };
  }

  setDebugRegisters({ addresses, dr6, dr7 }: DebugRegisters): void {
    this.#runner.debug.registers = { addresses: [...addresses], dr6, dr7 };
    this.#runner.debugChanged();
  }

  setCpuid(entries: readonly CpuidEntry[]): void {
    this.#core.cpuidEntries = entries.map((entry) => ({ ...entry }));
    const sizes = entries.find(({ leaf }) => leaf === PHYSICAL_ADDRESS_LEAF);
    if (sizes !== undefined) this.#core.physicalAddressBits = sizes.eax & 0xff;
  }

  getCpuid(): CpuidEntry[] {
    return this.#core.cpuidEntries.map((entry) => ({ ...entry }));
  }

  setGuestDebug(debug: GuestDebug): void {
    this.#runner.debug.set(debug);
    this.#runner.debugChanged();
  }

  injectInterrupt(vector: number): void {
    this.#runner.events.interrupt = { vector, soft: false };
  }

  requestInterruptWindow(on: boolean): void {
    this.#runner.interruptWindowRequested = on;
  }

  injectNmi(): void {
    this.#runner.events.injectNmi();
  }

  save(): VcpuState {
    return {
      version: VCPU_STATE_VERSION,
      cpuid: this.getCpuid(),
      registers: this.getRegisters(),
      special: this.getSpecialRegisters(),
      extended: this.getExtendedState(),
      msrs: this.getMsrs(this.#core.msrs.savedIndices),
      lapic: this.#core.interrupts?.getLapic() ?? null,
      events: this.getEvents(),
      mpState: this.getMpState(),
      debug: this.getDebugRegisters(),
      tscKhz: this.#core.clock.tsc.khz,
    };
  }

  /** CPUID decides what there is, the APIC base precedes the LAPIC, whose mode precedes the deadline. */
  restore(state: VcpuState): void {
    if (state.version !== VCPU_STATE_VERSION)
      throw new RangeError(`vCPU state of unknown version ${state.version}`);
    this.setCpuid(state.cpuid);
    if (state.tscKhz > 0) this.#core.clock.tsc.khz = state.tscKhz;
    this.setSpecialRegisters(state.special);
    this.setRegisters(state.registers);
    this.setExtendedState(state.extended);
    if (state.lapic !== null) this.#core.interrupts?.setLapic(state.lapic);
    this.#restoreMsrs(state.msrs);
    this.setDebugRegisters(state.debug);
    this.setMpState(state.mpState);
    this.setEvents(state.events);
  }

  close(): void {}

  /** One that the engine lacks is as good as zero. */
  #restoreMsrs(msrs: readonly MsrEntry[]): void {
    const order = this.#core.msrs.savedIndices;
    const place = ({ index }: MsrEntry) => (order.includes(index) ? order.indexOf(index) : -1);
    const sorted = [...msrs].sort((a, b) => place(a) - place(b));
    this.setMsrs(sorted.filter(({ index, value }) => (this.#core.msrs.read(index) ?? 0n) !== value));
  }

  #lapic() {
    const { interrupts } = this.#core;
    if (interrupts === null) throw new Error('this VM has no interrupt controllers');
    return interrupts;
  }
}
