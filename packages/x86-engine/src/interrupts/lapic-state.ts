/**
 * A local APIC's registers as one page, in KVM's form: the physical id in bits 31 to 24 in xAPIC mode and whole in x2APIC
 * mode, the x2APIC's ICR in two halves, the count as it stands (Linux KVM API §4.57 "KVM_GET_LAPIC").
 *
 * IA32_APIC_BASE and IA32_TSC_DEADLINE are not in the page: the first is to be restored before it, the second after.
 */
import type { LapicState } from '@vireo/hypervisor';
import type { LocalApic } from './lapic.ts';
import * as apic from './lapic-registers.ts';
import type { LapicTimer } from './lapic-timer.ts';

const WORD_BYTES = 4;

export function getLapicState(lapic: LocalApic, timer: LapicTimer): LapicState {
  const count = timer.readCount();
  const page = new DataView(new ArrayBuffer(apic.APIC_PAGE_BYTES));
  for (let offset = 0; offset < apic.APIC_PAGE_BYTES; offset += WORD_BYTES)
    page.setUint32(offset, lapic.register(offset), true);
  page.setUint32(apic.APIC_PPR, lapic.processorPriority, true);
  page.setUint32(apic.APIC_CURRENT_COUNT, count, true);
  return new Uint8Array(page.buffer);
}

/** Takes what software can have written; the rest is as this APIC has it. */
export function setLapicState(lapic: LocalApic, timer: LapicTimer, state: LapicState): void {
  const page = new DataView(state.buffer, state.byteOffset, apic.APIC_PAGE_BYTES);
  lapic.resetRegisters();
  for (const [register, writable] of apic.APIC_WRITABLE)
    lapic.setRegister(register, page.getUint32(register, true) & writable);
  lapic.setRegister(apic.APIC_DFR, page.getUint32(apic.APIC_DFR, true) | 0x0fffffff);
  lapic.setRegister(apic.APIC_ESR, page.getUint32(apic.APIC_ESR, true) & 0xff);
  if (lapic.x2apic) lapic.setRegister(apic.APIC_ICR_HIGH, page.getUint32(apic.APIC_ICR_HIGH, true));
  for (let offset = apic.APIC_ISR; offset < apic.APIC_ESR; offset += apic.VECTOR_WORD_STRIDE)
    lapic.setRegister(offset, page.getUint32(offset, true) & legalVectors(offset));
  for (const register of [apic.APIC_EOI, apic.APIC_SELF_IPI]) lapic.setRegister(register, 0);
  lapic.setRegister(
    apic.APIC_ICR_LOW,
    page.getUint32(apic.APIC_ICR_LOW, true) &
      apic.APIC_WRITABLE.get(apic.APIC_ICR_LOW)! &
      ~apic.LVT_DELIVERY_STATUS,
  );
  lapic.restoreIdentity();
  timer.resume(page.getUint32(apic.APIC_CURRENT_COUNT, true));
}

function legalVectors(offset: number): number {
  return offset % (apic.VECTOR_WORDS * apic.VECTOR_WORD_STRIDE) === 0
    ? -(1 << apic.FIRST_LEGAL_VECTOR)
    : 0xffffffff;
}
