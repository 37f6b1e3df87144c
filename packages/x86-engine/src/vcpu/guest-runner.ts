/**
 * Runs the guest on one vCPU: from one return of the interpreter to the next, with what each is for, until something is
 * the host's to do. Nothing is kept between two instructions but what the vCPU's state says.
 */
import type { IoExit, MmioExit, VcpuExit } from '@vireo/hypervisor';
import { offsetOf } from '../cpu-state.ts';
import { EXIT } from '../exit-reason.ts';
import { SHADOW } from '../interpreter/quick-operations.ts';
import type { InterruptControllers } from '../interrupts/interrupt-controllers.ts';
import { NO_VECTOR } from '../interrupts/lapic.ts';
import type { DeviceRequest } from '../memory/device-access.ts';
import { CR4 } from '../system/cr4-bits.ts';
import { DR6, recordDebugException } from '../system/debug-registers.ts';
import { deliver } from '../system/event-delivery.ts';
import { type FaultEvent, faultEvent, type GuestEvent } from '../system/guest-event.ts';
import { GuestFault, VECTOR } from '../system/guest-fault.ts';
import { RFLAGS } from '../system/processor.ts';
import { CodeFetch, type UndefinedListener } from './code-fetch.ts';
import { DebugState } from './debug-state.ts';
import { InnerPortBus } from './inner-bus.ts';
import { PendingEvents } from './pending-events.ts';
import { PortAccess } from './port-access.ts';
import { PENDING } from './vcpu-control.ts';
import type { RunnerHooks, VcpuCore } from './vcpu-core.ts';
import type { EngineThread } from './vcpu-host.ts';
import { VcpuIdle } from './vcpu-idle.ts';

const INTERRUPTED: VcpuExit = { kind: 'interrupted' };
const HLT: VcpuExit = { kind: 'hlt' };
const SHUTDOWN: VcpuExit = { kind: 'shutdown' };
const INTERRUPT_WINDOW: VcpuExit = { kind: 'interrupt-window' };
/** Jumps between two looks at the time; and what a return to the host counts as. */
const BUDGET = 20_000;
const RETURN_COST = 20;

export interface RunnerOptions {
  readonly thread: EngineThread;
  readonly controllers: InterruptControllers | null;
  /** Told of instructions that there are none of; for who wants to know. */
  readonly onUndefined?: UndefinedListener;
}

export class GuestRunner implements RunnerHooks {
  readonly ports: PortAccess;
  readonly events: PendingEvents;
  readonly debug = new DebugState();
  readonly #core: VcpuCore;
  readonly #idle: VcpuIdle;
  readonly #code: CodeFetch;
  readonly #data = new DataView(new ArrayBuffer(8));
  immediateExit = false;
  interruptWindowRequested = false;
  /** Something may be delivered that could not be before. */
  #attention = true;
  #exit: VcpuExit | undefined;
  /** What is left of the instruction whose exit is being served. @returns its next exit */
  #resume: (() => VcpuExit | undefined) | undefined;
  #outside: DeviceRequest[] = [];
  #breakpointHits = 0n;
  #steppingFlags = 0n;

  constructor(core: VcpuCore, options: RunnerOptions) {
    this.#core = core;
    const isBoot = core.id === 0 || core.interrupts === null;
    this.events = new PendingEvents(core.state, core.interrupts, isBoot ? 'runnable' : 'uninitialized');
    this.#idle = new VcpuIdle(core, this.events, options);
    this.ports = new PortAccess({
      processor: core,
      ports: new InnerPortBus(options.controllers),
      exit: (exit, answered) => this.#leaveFor(exit, answered),
      linear: (segment, offset, lengthBytes, kind) => core.linear(segment, offset, lengthBytes, kind),
    });
    core.hooks = this;
    core.debug = this.debug.registers;
    this.#code = new CodeFetch(core, options.onUndefined);
  }

  run(): VcpuExit {
    const { control } = this.#core;
    control.enter();
    try {
      return this.#finishExit() ?? this.#runGuest();
    } finally {
      control.leave();
    }
  }

  /** Finishes the instruction of the last exit, and runs no other. */
  complete(): VcpuExit {
    const { control } = this.#core;
    control.enter();
    try {
      this.#prepare();
      return this.#finishExit() ?? INTERRUPTED;
    } finally {
      control.leave();
    }
  }

  /** The vCPU's registers have been set: what was to be finished is not. */
  stateChanged(): void {
    this.#core.applyMode();
    this.#core.invalidateTranslations('all');
    this.#attend();
  }

  debugChanged(): void {
    this.#core.debug = this.debug.registers;
    this.debug.changed();
    this.#core.translations.watchedPages = this.debug.watchedPages();
  }

  #attend(): void {
    this.#attention = true;
  }

  #prepare(): void {
    const core = this.#core;
    core.serveRequests();
    if (core.special.modeChanged) core.applyMode();
    core.clock.follow();
  }

  #runGuest(): VcpuExit {
    this.#prepare();
    this.#attention = true;
    this.#dropResumeFlag();
    for (;;) {
      const exit = this.#attendTo() ?? this.#step();
      if (exit !== undefined) return exit;
    }
  }

  /** What is to be done between two instructions. */
  #attendTo(): VcpuExit | undefined {
    const { control, state } = this.#core;
    const left = state.getInt32(offsetOf('budget'), true) - RETURN_COST;
    state.setInt32(offsetOf('budget'), left, true);
    if (left < 0) this.#lookAtTime();
    const { pending } = control;
    if (pending === 0 && !this.#attention) return undefined;
    this.#attention = false;
    control.clearPending(PENDING.interrupt);
    if ((pending & PENDING.request) !== 0) this.#core.serveRequests();
    return this.#handleEvents();
  }

  #lookAtTime(): void {
    this.#core.state.setInt32(offsetOf('budget'), BUDGET, true);
    this.#idle.expireTimers();
  }

  #handleEvents(): VcpuExit | undefined {
    const { events } = this;
    const { control } = this.#core;
    const isKicked = control.isKicked && control.takeKick();
    if (isKicked || this.immediateExit) {
      this.#attention = true;
      return INTERRUPTED;
    }
    if (events.tripleFault) return SHUTDOWN;
    if (!this.#idle.wait()) {
      this.#attention = true;
      return control.takeKick() || this.immediateExit ? INTERRUPTED : undefined;
    }
    return this.#deliverPending();
  }

  #deliverPending(): VcpuExit | undefined {
    const { events } = this;
    const injected = events.takeInjected();
    if (injected) return this.#deliverInjected(injected, injected.payload);
    const nmi = events.takeNmi(this.#core.general.rip);
    if (nmi) return this.#deliver(nmi);
    if ((this.#core.general.otherFlags & RFLAGS.IF) === 0n) return undefined;
    if (events.shadowAt(this.#core.general.rip) !== 0) {
      this.#attention = true;
      return undefined;
    }
    if (this.interruptWindowRequested) {
      this.#attention = true;
      return INTERRUPT_WINDOW;
    }
    const vector = this.#core.interrupts?.acknowledge() ?? NO_VECTOR;
    if (vector === NO_VECTOR) return undefined;
    this.#attention = true;
    return this.#deliver({ vector, source: 'external' });
  }

  #deliverInjected(event: GuestEvent, payload: bigint | undefined): VcpuExit | undefined {
    if (event.vector === VECTOR.DB && payload !== undefined)
      recordDebugException(this.debug.registers, payload);
    const gva = event.vector === VECTOR.PF ? payload : undefined;
    return this.#deliver({ ...event, ...(gva !== undefined && { gva }) });
  }

  /** Runs until the interpreter returns, or one instruction. */
  #step(once = false): VcpuExit | undefined {
    const core = this.#core;
    const { general, area, state } = core;
    const record = this.#code.find();
    if (record === undefined) return undefined;
    if (typeof record !== 'number') return this.#deliver(record);
    const { rip } = general;
    if (this.debug.hasExecuteBreakpoints) {
      const stopped = this.#executeBreakpoint();
      if (stopped !== 'passed') return stopped;
    }
    this.#steppingFlags = general.otherFlags & RFLAGS.TF;
    const shadow = this.events.shadowAt(rip);
    const isSingle =
      once ||
      shadow !== 0 ||
      this.#steppingFlags !== 0n ||
      this.debug.singleStep ||
      this.debug.hasExecuteBreakpoints;
    if (isSingle) core.end.after(record);
    state.setBigUint64(offsetOf('codeBase'), rip, true);
    state.setUint32(offsetOf('interruptsWait'), this.#interruptsWait ? 1 : 0, true);
    core.devices.restart();
    const reason = core.exports.run(area.state, record);
    // An instruction that did not come to its end keeps its shadow.
    if (shadow !== 0 && reason !== EXIT.memoryFault && this.events.shadowAt(rip) !== 0)
      this.events.setShadow(0, 0n);
    return this.#returned(reason);
  }

  #returned(reason: number): VcpuExit | undefined {
    const core = this.#core;
    const isEnd = core.end.settle();
    switch (reason) {
      case EXIT.jump:
      case EXIT.stopped:
        return isEnd ? this.#instructionEnded() : undefined;
      case EXIT.memoryFault:
        return this.#refused();
      case EXIT.exception: {
        const vector = core.state.getUint32(offsetOf('exceptionVector'), true);
        if (vector === VECTOR.XM && (core.special.cr4 & CR4.OSXMMEXCPT) === 0n)
          return this.#deliver(faultEvent(VECTOR.UD));
        return this.#deliver(faultEvent(vector, vector === VECTOR.GP ? 0 : undefined));
      }
      default:
        return this.#operated();
    }
  }

  /** An access to memory that did not go: it faulted, or a device has to be asked. */
  #refused(): VcpuExit | undefined {
    const { devices, slow } = this.#core;
    if (devices.waitsFor !== undefined) return this.#deviceExit(devices.waitsFor);
    const { fault } = slow;
    slow.fault = undefined;
    if (fault === undefined) throw new Error('an access was refused without a fault');
    return this.#deliver(fault);
  }

  /** A system operation left the guest, raised something, or went on elsewhere. */
  #operated(): VcpuExit | undefined {
    const core = this.#core;
    core.state.setUint32(offsetOf('leave'), 0, true);
    const { fault } = core;
    if (fault !== undefined) {
      core.fault = undefined;
      return this.#deliver(faultEvent(fault.vector, fault.errorCode, fault.gva));
    }
    const exit = this.#exit;
    this.#exit = undefined;
    if (exit !== undefined) return exit;
    if (this.events.tripleFault) return SHUTDOWN;
    if (this.events.mpState === 'halted') {
      if (core.interrupts === null) {
        this.events.mpState = 'runnable';
        return HLT;
      }
      this.#attention = true;
    }
    return this.#instructionEnded();
  }

  /** The instruction that was to be stopped behind is done, or one iteration of it. */
  #instructionEnded(): VcpuExit | undefined {
    this.#outside = this.#core.devices.end();
    return this.#nextWrite() ?? this.#traps();
  }

  /** Writes to devices outside, one exit each. */
  #nextWrite(): VcpuExit | undefined {
    const write = this.#outside.shift();
    if (write === undefined) return undefined;
    const exit = this.#mmio(write);
    this.#resume = () => this.#nextWrite() ?? this.#traps();
    return exit;
  }

  /** Debug exceptions that come behind an instruction (Intel SDM Vol. 3B §17.3.1 "Debug Exception (#DB)"). */
  #traps(): VcpuExit | undefined {
    const hits = this.#breakpointHits;
    this.#breakpointHits = 0n;
    const stepped = this.#steppingFlags !== 0n || this.debug.singleStep ? DR6.BS : 0n;
    this.#steppingFlags = 0n;
    if (hits === 0n && stepped === 0n) return undefined;
    const isDebuggers = this.debug.singleStep || (hits !== 0n && this.debug.isDebuggers);
    if (isDebuggers) return this.debug.exit(1, this.#code.linearRip, hits | stepped);
    recordDebugException(this.debug.registers, hits | stepped);
    return this.#deliver(faultEvent(VECTOR.DB));
  }

  /** It holds back the breakpoints of one instruction (Intel SDM Vol. 3B §17.3.1.1); without breakpoints nobody takes it back. */
  #dropResumeFlag(): void {
    if (this.debug.hasExecuteBreakpoints) return;
    const { general } = this.#core;
    if ((general.otherFlags & RFLAGS.RF) !== 0n) general.rflags &= ~RFLAGS.RF;
  }

  #executeBreakpoint(): VcpuExit | undefined | 'passed' {
    const { general } = this.#core;
    if ((general.otherFlags & RFLAGS.RF) !== 0n) {
      general.rflags &= ~RFLAGS.RF;
      return 'passed';
    }
    const hits = this.debug.executes(this.#code.linearRip);
    if (hits === 0n) return 'passed';
    if (this.debug.isDebuggers) return this.debug.exit(1, this.#code.linearRip, hits);
    recordDebugException(this.debug.registers, hits);
    return this.#deliver(faultEvent(VECTOR.DB));
  }

  #deliver(event: GuestEvent & Pick<FaultEvent, 'gva'>): VcpuExit | undefined {
    const core = this.#core;
    if (event.gva !== undefined) core.special.cr2 = event.gva;
    core.devices.abandon();
    this.#attention = true;
    const delivered = deliver(core, event);
    if (core.special.modeChanged) core.applyMode();
    if (delivered === 'delivered') return undefined;
    this.events.tripleFault = true;
    return SHUTDOWN;
  }

  /** Whether something is to be done as soon as IF allows it. */
  get #interruptsWait(): boolean {
    return this.interruptWindowRequested || (this.#core.interrupts?.pending ?? 0) !== 0;
  }

  #leaveFor(exit: IoExit, answered: () => void): void {
    this.#exit = exit;
    this.#resume = () => {
      // An answer goes to memory that may be there no more.
      const fault = faultOf(answered);
      return fault ? this.#deliver(faultEvent(fault.vector, fault.errorCode, fault.gva)) : this.#traps();
    };
    this.#core.leaveAfterOperation();
  }

  /** A device is asked; its answer runs the instruction again. */
  #deviceExit(request: DeviceRequest): VcpuExit {
    const exit = this.#mmio(request);
    this.#resume = () => {
      this.#core.devices.answer(this.#answer(request.lengthBytes));
      return this.#step(true);
    };
    return exit;
  }

  #mmio({ direction, gpa, lengthBytes, value }: DeviceRequest): MmioExit {
    this.#data.setBigUint64(0, value, true);
    const data = new DataView(this.#data.buffer, 0, lengthBytes);
    return { kind: 'mmio', direction, gpa, lengthBytes, data };
  }

  #answer(lengthBytes: number): bigint {
    return BigInt.asUintN(lengthBytes * 8, this.#data.getBigUint64(0, true));
  }

  #finishExit(): VcpuExit | undefined {
    const resume = this.#resume;
    if (resume === undefined) return undefined;
    this.#resume = undefined;
    this.#attention = true;
    return resume();
  }

  // RunnerHooks

  halt(): void {
    this.events.mpState = 'halted';
  }

  blockInterrupts(by: 'sti' | 'mov-ss'): void {
    this.events.setShadow(SHADOW[by], this.#core.general.rip);
    // Otherwise nothing looks at it before the instruction has ended.
    if (this.#interruptsWait || this.events.nmiPending) this.#core.endAfterOperation();
  }

  flagsChanged(changed: bigint): void {
    if ((changed & (RFLAGS.IF | RFLAGS.TF)) === 0n) return;
    const { general } = this.#core;
    if ((general.otherFlags & RFLAGS.TF) !== 0n) this.#core.endAfterOperation();
    if ((general.otherFlags & RFLAGS.IF) === 0n || !this.#interruptsWait) return;
    this.#attention = true;
    this.#core.endAfterOperation();
  }

  watched(gva: bigint, lengthBytes: number, isWrite: boolean): void {
    this.#breakpointHits |= this.debug.accesses(gva, lengthBytes, isWrite);
  }

  allows(operation: string, rip: bigint): boolean {
    if (operation !== 'breakpoint' || !this.debug.softwareBreakpoints) return true;
    this.#core.general.rip = rip;
    this.#exit = this.debug.exit(3, this.#code.linearRip, 0n);
    return false;
  }

  did(operation: string): void {
    if (operation === 'interruptReturn') this.#dropResumeFlag();
    if (operation === 'interruptReturn' && this.events.nmiMasked) {
      this.events.nmiMasked = false;
      this.#attention = true;
    }
    if (operation === 'writeDebugRegister') {
      this.debugChanged();
      this.#core.endAfterOperation();
    }
  }
}

function faultOf(operation: () => void): GuestFault | undefined {
  try {
    operation();
    return undefined;
  } catch (error) {
    if (!(error instanceof GuestFault)) throw error;
    return error;
  }
}
