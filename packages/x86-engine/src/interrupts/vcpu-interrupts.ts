/**
 * What a vCPU's thread needs of the interrupt controllers: what to deliver next, its local APIC's registers and timer,
 * and their state. Every method takes the lock by itself.
 *
 * How it is used: look at `pending` between instructions, or at its word; when a bit that can be acted on is set, take it.
 * A halted vCPU reads `wakeCount`, looks at `pending`, then calls `sleep` with the count it read: nothing is missed in
 * between. Several changes may be one wake, and a wake says nothing of IF.
 */
import type { LapicState } from '@vireo/hypervisor';
import type { ControllerMemory } from './controller-memory.ts';
import {
  type LocalApic,
  NO_VECTOR,
  PENDING_INIT,
  PENDING_INTERRUPT,
  PENDING_NMI,
  PENDING_STARTUP,
} from './lapic.ts';
import type { LapicAccess, MsrResult } from './lapic-access.ts';
import { APIC_BASE_X2APIC, APIC_PAGE_BYTES, APIC_TPR } from './lapic-registers.ts';
import { getLapicState, setLapicState } from './lapic-state.ts';
import type { LapicTimer } from './lapic-timer.ts';
import type { PicPair } from './pic-pair.ts';

/** `pendingVector`: the 8259As have an interrupt, whose vector `acknowledge` says. */
export const EXTERNAL_INTERRUPT = 0x100;

/** NMI, INIT and startup IPI as a saved vCPU has them. */
export interface VcpuSignals {
  nmi: boolean;
  init: boolean;
  startup: boolean;
  sipiVector: number;
}

export class VcpuInterrupts {
  /** Indices in the memory's words: `PENDING_…` bits, and a count that is notified when one of them is new. */
  readonly pendingIndex: number;
  readonly wakeIndex: number;
  readonly #memory: ControllerMemory;
  readonly #lapic: LocalApic;
  readonly #timer: LapicTimer;
  readonly #access: LapicAccess;
  readonly #pics: PicPair;

  constructor(
    memory: ControllerMemory,
    lapic: LocalApic,
    timer: LapicTimer,
    access: LapicAccess,
    pics: PicPair,
  ) {
    this.pendingIndex = lapic.pendingIndex;
    this.wakeIndex = lapic.wakeIndex;
    this.#memory = memory;
    this.#lapic = lapic;
    this.#timer = timer;
    this.#access = access;
    this.#pics = pics;
  }

  /** `PENDING_…` bits; without the lock. */
  get pending(): number {
    return this.#lapic.pending;
  }

  get wakeCount(): number {
    return Atomics.load(this.#memory.words, this.wakeIndex);
  }

  /** Returns when the count is another than `wakeCount` was, at the latest after `timeoutMs`. */
  sleep(wakeCount: number, timeoutMs = Number.POSITIVE_INFINITY): void {
    Atomics.wait(this.#memory.words, this.wakeIndex, wakeCount, timeoutMs);
  }

  /** Ends a `sleep`, of any thread's wish. */
  wake(): void {
    Atomics.add(this.#memory.words, this.wakeIndex, 1);
    Atomics.notify(this.#memory.words, this.wakeIndex);
  }

  /** The vector that `acknowledge` would give now, EXTERNAL_INTERRUPT, or NO_VECTOR. */
  pendingVector(): number {
    if ((this.pending & PENDING_INTERRUPT) === 0) return NO_VECTOR;
    this.#memory.lock.acquire();
    const lapic = this.#lapic;
    const external = lapic.takesExternalInterrupt;
    const vector = external ? EXTERNAL_INTERRUPT : lapic.enabled ? lapic.highestDeliverable : NO_VECTOR;
    this.#memory.lock.release();
    return vector;
  }

  /** Takes the interrupt to be delivered: the 8259As' first, by an INTA cycle. @returns its vector, or NO_VECTOR */
  acknowledge(): number {
    this.#memory.lock.acquire();
    const lapic = this.#lapic;
    let vector = NO_VECTOR;
    if (lapic.takesExternalInterrupt) vector = this.#pics.acknowledge();
    else if (lapic.enabled) vector = lapic.acknowledge();
    this.#memory.lock.release();
    return vector;
  }

  /** @returns whether an NMI was pending */
  takeNmi(): boolean {
    return this.#lapic.takeSignals(PENDING_NMI) !== 0;
  }

  injectNmi(): void {
    this.#lapic.signal(PENDING_NMI);
  }

  /** Takes an INIT, which resets the local APIC; before `takeSipi`. @returns whether one was pending */
  takeInit(): boolean {
    this.#memory.lock.acquire();
    const taken = this.#lapic.takeSignals(PENDING_INIT) !== 0;
    if (taken) this.#lapic.resetRegisters();
    this.#memory.lock.release();
    return taken;
  }

  /** Takes a startup IPI, also where the vCPU has no use for it. @returns its vector, or NO_VECTOR */
  takeSipi(): number {
    this.#memory.lock.acquire();
    const taken = this.#lapic.takeSignals(PENDING_STARTUP) !== 0;
    const vector = taken ? this.#lapic.sipiVector : NO_VECTOR;
    this.#memory.lock.release();
    return vector;
  }

  /** Accesses to the page at the APIC base, in xAPIC mode. */
  readPage(offset: number, sizeBytes: number): number {
    this.#memory.lock.acquire();
    const value = this.#access.readPage(offset, sizeBytes);
    this.#memory.lock.release();
    return value;
  }

  writePage(offset: number, sizeBytes: number, value: number): void {
    this.#memory.lock.acquire();
    this.#access.writePage(offset, sizeBytes, value);
    this.#memory.lock.release();
  }

  /** RDMSR of 800h to 8FFh. */
  readMsr(index: number): bigint | 'gp' {
    this.#memory.lock.acquire();
    const value = this.#access.readMsr(index);
    this.#memory.lock.release();
    return value;
  }

  /** WRMSR of 800h to 8FFh. */
  writeMsr(index: number, value: bigint): MsrResult {
    this.#memory.lock.acquire();
    const result = this.#access.writeMsr(index, value);
    this.#memory.lock.release();
    return result;
  }

  /** IA32_APIC_BASE. */
  get apicBase(): bigint {
    return this.#lapic.apicBase;
  }

  /** Where the registers are in physical memory, or undefined: in x2APIC mode, or disabled. */
  get pageGpa(): bigint | undefined {
    const base = this.apicBase;
    return this.#lapic.enabled && (base & APIC_BASE_X2APIC) === 0n ? base & ~0xfffn : undefined;
  }

  /** WRMSR of IA32_APIC_BASE. */
  writeApicBase(value: bigint): MsrResult {
    this.#memory.lock.acquire();
    const result = this.#access.writeApicBase(value);
    this.#memory.lock.release();
    return result;
  }

  /** Restores IA32_APIC_BASE, from any mode to any other; before `setLapic`. */
  setApicBase(value: bigint): void {
    this.#memory.lock.acquire();
    this.#lapic.apicBase = value;
    this.#memory.lock.release();
  }

  /** The task priority register; CR8 is its upper four bits. Without the lock: only this vCPU writes it. */
  get taskPriority(): number {
    return this.#lapic.register(APIC_TPR);
  }

  set taskPriority(value: number) {
    this.#memory.lock.acquire();
    this.#access.writeTaskPriority(value);
    this.#memory.lock.release();
  }

  /** IA32_TSC_DEADLINE. */
  get tscDeadline(): bigint {
    this.#memory.lock.acquire();
    const value = this.#timer.tscDeadline;
    this.#memory.lock.release();
    return value;
  }

  set tscDeadline(value: bigint) {
    this.#memory.lock.acquire();
    this.#timer.tscDeadline = value;
    this.#memory.lock.release();
  }

  /** To be called after the vCPU's TSC was set. */
  tscMoved(): void {
    this.#memory.lock.acquire();
    this.#timer.tscMoved();
    this.#memory.lock.release();
  }

  /** When `expire` is to be called next: host time, or NEVER. Without the lock, from the vCPU's thread. */
  get nextDeadlineNs(): bigint {
    return this.#timer.deadlineNs;
  }

  expire(nowNs: bigint): void {
    if (this.nextDeadlineNs > nowNs) return;
    this.#memory.lock.acquire();
    this.#timer.expire(nowNs);
    this.#memory.lock.release();
  }

  getLapic(): LapicState {
    this.#memory.lock.acquire();
    const state = getLapicState(this.#lapic, this.#timer);
    this.#memory.lock.release();
    return state;
  }

  /** @throws RangeError when it is no page of registers */
  setLapic(state: LapicState): void {
    if (state.length !== APIC_PAGE_BYTES)
      throw new RangeError(`local APIC state of ${state.length} bytes; it has ${APIC_PAGE_BYTES}`);
    this.#memory.lock.acquire();
    setLapicState(this.#lapic, this.#timer, state);
    this.#memory.lock.release();
  }

  getSignals(): VcpuSignals {
    const { pending, sipiVector } = this.#lapic;
    return {
      nmi: (pending & PENDING_NMI) !== 0,
      init: (pending & PENDING_INIT) !== 0,
      startup: (pending & PENDING_STARTUP) !== 0,
      sipiVector,
    };
  }

  setSignals({ nmi, init, startup, sipiVector }: VcpuSignals): void {
    this.#memory.lock.acquire();
    this.#lapic.takeSignals(PENDING_NMI | PENDING_INIT | PENDING_STARTUP);
    this.#lapic.sipiVector = sipiVector;
    this.#lapic.signal((nmi ? PENDING_NMI : 0) | (init ? PENDING_INIT : 0) | (startup ? PENDING_STARTUP : 0));
    this.#memory.lock.release();
  }
}
