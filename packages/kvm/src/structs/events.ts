/** struct kvm_vcpu_events, struct kvm_debugregs and MP states (Linux KVM API §4.31 "KVM_GET_VCPU_EVENTS", §4.33, §4.38). */
import type { DebugRegisters, GuestDebug, HardwareBreakpoint, MpState, VcpuEvents } from '@vireo/hypervisor';
import * as abi from '../abi.ts';

export function decodeEvents(bytes: Uint8Array): VcpuEvents {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const flag = (at: number) => view.getUint8(at) !== 0;
  return {
    exception: {
      injected: flag(0),
      vector: view.getUint8(1),
      errorCode: flag(2) ? view.getUint32(4, true) : null,
      pending: flag(3),
      payload: flag(55) ? view.getBigUint64(56, true) : null,
    },
    interrupt: { injected: flag(8), vector: view.getUint8(9), soft: flag(10), shadow: view.getUint8(11) },
    nmi: { injected: flag(12), pending: flag(13), masked: flag(14) },
    sipiVector: view.getUint32(16, true),
    smi: { inSmm: flag(24), pending: flag(25), smmInsideNmi: flag(26), latchedInit: flag(27) },
    tripleFaultPending: flag(28),
  };
}

/** What of a VM's capabilities decides how events are set. */
export interface EventSupport {
  readonly exceptionPayload: boolean;
  readonly tripleFault: boolean;
}

export function encodeEvents(events: VcpuEvents, support: EventSupport): Uint8Array {
  const bytes = new Uint8Array(abi.SIZEOF_KVM_VCPU_EVENTS);
  const view = new DataView(bytes.buffer);
  const flag = (at: number, on: boolean) => view.setUint8(at, Number(on));
  const { exception, interrupt, nmi, smi } = events;
  flag(0, exception.injected);
  view.setUint8(1, exception.vector);
  flag(2, exception.errorCode !== null);
  view.setUint32(4, exception.errorCode ?? 0, true);
  flag(8, interrupt.injected);
  view.setUint8(9, interrupt.vector);
  flag(10, interrupt.soft);
  view.setUint8(11, interrupt.shadow);
  flag(12, nmi.injected);
  flag(13, nmi.pending);
  flag(14, nmi.masked);
  view.setUint32(16, events.sipiVector, true);
  flag(24, smi.inSmm);
  flag(25, smi.pending);
  flag(26, smi.smmInsideNmi);
  flag(27, smi.latchedInit);
  let valid =
    abi.KVM_VCPUEVENT_VALID_NMI_PENDING |
    abi.KVM_VCPUEVENT_VALID_SIPI_VECTOR |
    abi.KVM_VCPUEVENT_VALID_SHADOW |
    abi.KVM_VCPUEVENT_VALID_SMM;
  if (support.exceptionPayload) {
    valid |= abi.KVM_VCPUEVENT_VALID_PAYLOAD;
    flag(3, exception.pending);
    flag(55, exception.payload !== null);
    view.setBigUint64(56, exception.payload ?? 0n, true);
  } else if (exception.pending) flag(0, true);
  if (support.tripleFault) {
    valid |= abi.KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
    flag(28, events.tripleFaultPending);
  }
  view.setUint32(20, valid, true);
  return bytes;
}

const MP_STATES = ['runnable', 'uninitialized', 'init-received', 'halted', 'sipi-received'] as const;

export function decodeMpState(value: number): MpState {
  const state = MP_STATES[value];
  if (state === undefined) throw new RangeError(`KVM reports an MP state ${value} that x86 does not have`);
  return state;
}

export function encodeMpState(state: MpState): number {
  return MP_STATES.indexOf(state);
}

export function decodeDebugRegisters(bytes: Uint8Array): DebugRegisters {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const at = (offset: number) => view.getBigUint64(offset, true);
  return { addresses: [at(0), at(8), at(16), at(24)], dr6: at(32), dr7: at(40) };
}

export function encodeDebugRegisters(registers: DebugRegisters): Uint8Array {
  const bytes = new Uint8Array(abi.SIZEOF_KVM_DEBUGREGS);
  const view = new DataView(bytes.buffer);
  for (const [i, address] of registers.addresses.entries()) view.setBigUint64(i * 8, address, true);
  view.setBigUint64(32, registers.dr6, true);
  view.setBigUint64(40, registers.dr7, true);
  return bytes;
}

/** struct kvm_guest_debug; hardware breakpoints as DR0–DR3 and DR7 (Intel SDM Vol. 3B §17.2.4 "Debug Control Register (DR7)"). */
export function encodeGuestDebug(debug: GuestDebug): Uint8Array {
  const bytes = new Uint8Array(abi.SIZEOF_KVM_GUEST_DEBUG);
  const view = new DataView(bytes.buffer);
  const breakpoints = debug.hardwareBreakpoints ?? [];
  if (breakpoints.length > 4) throw new RangeError(`${breakpoints.length} hardware breakpoints, of 4`);
  let control = 0;
  if (debug.singleStep) control |= abi.KVM_GUESTDBG_SINGLESTEP;
  if (debug.softwareBreakpoints) control |= abi.KVM_GUESTDBG_USE_SW_BP;
  if (breakpoints.length > 0) control |= abi.KVM_GUESTDBG_USE_HW_BP;
  if (control !== 0) control |= abi.KVM_GUESTDBG_ENABLE;
  view.setUint32(0, control, true);
  let dr7 = 0x400n; // bit 10 reads as one
  for (const [i, breakpoint] of breakpoints.entries()) {
    view.setBigUint64(8 + i * 8, breakpoint.address, true);
    dr7 |= 2n << BigInt(i * 2); // global enable
    dr7 |= BigInt(dr7Condition(breakpoint)) << BigInt(16 + i * 4);
  }
  view.setBigUint64(8 + 7 * 8, dr7, true);
  return bytes;
}

function dr7Condition({ condition, lengthBytes }: HardwareBreakpoint): number {
  const readWrite = { execute: 0, write: 1, 'read-write': 3 }[condition];
  const length = { 1: 0, 2: 1, 4: 3, 8: 2 }[lengthBytes];
  return readWrite | (length << 2);
}
