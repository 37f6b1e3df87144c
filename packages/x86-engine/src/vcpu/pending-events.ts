/**
 * What waits to be delivered to a vCPU, and what keeps it from being: events injected by the host, the NMI's mask, the
 * interrupt shadow; and what the vCPU is as a processor among others (Intel SDM Vol. 3A §6.9 "Priority Among Simultaneous
 * Exceptions and Interrupts", §8.4.1 "BSP and AP Processors").
 */
import type { MpState, VcpuEvents } from '@vireo/hypervisor/vcpu-state';
import { offsetOf } from '../cpu-state.ts';
import { SHADOW } from '../interpreter/quick-operations.ts';
import type { VcpuInterrupts } from '../interrupts/vcpu-interrupts.ts';
import type { GuestEvent } from '../system/guest-event.ts';
import { VECTOR } from '../system/guest-fault.ts';

const NONE: VcpuEvents = {
  exception: { pending: false, injected: false, vector: 0, errorCode: null, payload: null },
  interrupt: { injected: false, vector: 0, soft: false, shadow: 0 },
  nmi: { injected: false, pending: false, masked: false },
  sipiVector: 0,
  smi: { inSmm: false, pending: false, smmInsideNmi: false, latchedInit: false },
  tripleFaultPending: false,
};

export class PendingEvents {
  readonly #interrupts: VcpuInterrupts | null;
  readonly #state: DataView;
  nmiMasked = false;
  /** On a VM without interrupt controllers. */
  #nmiPending = false;
  exception: VcpuEvents['exception'] = NONE.exception;
  interrupt: { vector: number; soft: boolean } | undefined;
  nmiInjected = false;
  tripleFault = false;
  mpState: MpState;

  /** `state`: the vCPU's, which has the interrupt shadow. */
  constructor(state: DataView, interrupts: VcpuInterrupts | null, mpState: MpState) {
    this.#state = state;
    this.#interrupts = interrupts;
    this.mpState = mpState;
  }

  /** `SHADOW` bits that hold at `rip`. */
  shadowAt(rip: bigint): number {
    const shadow = this.#state.getUint32(offsetOf('shadow'), true);
    return shadow !== 0 && this.#state.getBigUint64(offsetOf('shadowRip'), true) === rip ? shadow : 0;
  }

  setShadow(bits: number, rip: bigint): void {
    this.#state.setUint32(offsetOf('shadow'), bits, true);
    this.#state.setBigUint64(offsetOf('shadowRip'), rip, true);
  }

  /** What the host has injected, which comes before everything else. */
  takeInjected(): (GuestEvent & { readonly payload?: bigint }) | undefined {
    const { exception, interrupt } = this;
    if (exception.injected || exception.pending) {
      this.exception = NONE.exception;
      const { vector, errorCode, payload, pending } = exception;
      // Side effects of one that was injected have been done.
      const effect = pending && payload !== null ? { payload } : {};
      return { vector, source: 'exception', ...(errorCode !== null && { errorCode }), ...effect };
    }
    if (this.nmiInjected) {
      this.nmiInjected = false;
      this.nmiMasked = true;
      return { vector: VECTOR.NMI, source: 'external' };
    }
    if (interrupt === undefined) return undefined;
    this.interrupt = undefined;
    return { vector: interrupt.vector, source: interrupt.soft ? 'software' : 'external' };
  }

  /** An NMI that can be delivered now. */
  takeNmi(rip: bigint): GuestEvent | undefined {
    if (this.nmiMasked || (this.shadowAt(rip) & SHADOW['mov-ss']) !== 0 || !this.nmiPending) return undefined;
    this.#nmiPending = false;
    this.#interrupts?.takeNmi();
    this.nmiMasked = true;
    return { vector: VECTOR.NMI, source: 'external' };
  }

  get nmiPending(): boolean {
    return this.#nmiPending || (this.#interrupts?.getSignals().nmi ?? false);
  }

  injectNmi(): void {
    if (this.#interrupts) this.#interrupts.injectNmi();
    else this.#nmiPending = true;
  }

  get(rip: bigint): VcpuEvents {
    const signals = this.#interrupts?.getSignals();
    const { interrupt } = this;
    return {
      exception: { ...this.exception },
      interrupt: {
        injected: interrupt !== undefined,
        ...{ vector: interrupt?.vector ?? 0, soft: interrupt?.soft ?? false, shadow: this.shadowAt(rip) },
      },
      nmi: { injected: this.nmiInjected, pending: this.nmiPending, masked: this.nmiMasked },
      sipiVector: signals?.sipiVector ?? 0,
      smi: { ...NONE.smi },
      tripleFaultPending: this.tripleFault,
    };
  }

  set({ exception, interrupt, nmi, sipiVector, tripleFaultPending }: VcpuEvents, rip: bigint): void {
    this.exception = { ...exception };
    this.interrupt = interrupt.injected ? { vector: interrupt.vector, soft: interrupt.soft } : undefined;
    this.setShadow(interrupt.shadow, rip);
    this.nmiInjected = nmi.injected;
    this.nmiMasked = nmi.masked;
    this.tripleFault = tripleFaultPending;
    if (this.#interrupts === null) this.#nmiPending = nmi.pending;
    else this.#interrupts.setSignals({ ...this.#interrupts.getSignals(), nmi: nmi.pending, sipiVector });
  }
}
