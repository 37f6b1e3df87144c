/** struct kvm_irqchip, struct kvm_pit_state2 and the routing table (Linux KVM API §4.26 "KVM_GET_IRQCHIP", §4.72, §4.52). */
import type { GsiRoute, IoapicState, PicState, PitChannelState, PitState } from '@vireo/hypervisor';
import { PIC_STATE_FIELDS } from '@vireo/hypervisor/interrupts';
import * as abi from '../abi.ts';

const CHIP = 8;
const IOAPIC_PINS = 24;

export function irqchipBuffer(chipId: number): Uint8Array {
  const bytes = new Uint8Array(abi.SIZEOF_KVM_IRQCHIP);
  new DataView(bytes.buffer).setUint32(0, chipId, true);
  return bytes;
}

export function decodePic(bytes: Uint8Array): PicState {
  const state: Partial<PicState> = {};
  for (const [i, field] of PIC_STATE_FIELDS.entries()) state[field] = bytes[CHIP + i]!;
  return state as PicState;
}

export function encodePic(chipId: number, state: PicState): Uint8Array {
  const bytes = irqchipBuffer(chipId);
  for (const [i, field] of PIC_STATE_FIELDS.entries()) bytes[CHIP + i] = state[field];
  return bytes;
}

export function decodeIoapic(bytes: Uint8Array): IoapicState {
  const view = new DataView(bytes.buffer, bytes.byteOffset + CHIP);
  return {
    baseAddress: view.getBigUint64(0, true),
    ioregsel: view.getUint32(8, true),
    id: view.getUint32(12, true),
    irr: view.getUint32(16, true),
    redirectionTable: Array.from({ length: IOAPIC_PINS }, (_, i) => view.getBigUint64(24 + i * 8, true)),
  };
}

export function encodeIoapic(state: IoapicState): Uint8Array {
  const bytes = irqchipBuffer(abi.KVM_IRQCHIP_IOAPIC);
  const view = new DataView(bytes.buffer, CHIP);
  view.setBigUint64(0, state.baseAddress, true);
  view.setUint32(8, state.ioregsel, true);
  view.setUint32(12, state.id, true);
  view.setUint32(16, state.irr, true);
  for (const [i, entry] of state.redirectionTable.entries()) view.setBigUint64(24 + i * 8, entry, true);
  return bytes;
}

const PIT_CHANNEL_BYTES = 24;

export function decodePit(bytes: Uint8Array): PitState {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const channel = (at: number): PitChannelState => ({
    count: view.getUint32(at, true),
    latchedCount: view.getUint16(at + 4, true),
    countLatched: view.getUint8(at + 6),
    statusLatched: view.getUint8(at + 7),
    status: view.getUint8(at + 8),
    readState: view.getUint8(at + 9),
    writeState: view.getUint8(at + 10),
    writeLatch: view.getUint8(at + 11),
    rwMode: view.getUint8(at + 12),
    mode: view.getUint8(at + 13),
    bcd: view.getUint8(at + 14),
    gate: view.getUint8(at + 15),
    countLoadTime: view.getBigInt64(at + 16, true),
  });
  return { channels: [channel(0), channel(PIT_CHANNEL_BYTES), channel(2 * PIT_CHANNEL_BYTES)] };
}

export function encodePit(state: PitState): Uint8Array {
  const bytes = new Uint8Array(abi.SIZEOF_KVM_PIT_STATE2);
  const view = new DataView(bytes.buffer);
  for (const [i, channel] of state.channels.entries()) {
    const at = i * PIT_CHANNEL_BYTES;
    view.setUint32(at, channel.count, true);
    view.setUint16(at + 4, channel.latchedCount, true);
    view.setUint8(at + 6, channel.countLatched);
    view.setUint8(at + 7, channel.statusLatched);
    view.setUint8(at + 8, channel.status);
    view.setUint8(at + 9, channel.readState);
    view.setUint8(at + 10, channel.writeState);
    view.setUint8(at + 11, channel.writeLatch);
    view.setUint8(at + 12, channel.rwMode);
    view.setUint8(at + 13, channel.mode);
    view.setUint8(at + 14, channel.bcd);
    view.setUint8(at + 15, channel.gate);
    view.setBigInt64(at + 16, channel.countLoadTime, true);
  }
  return bytes;
}

const ROUTING_CHIPS = {
  'pic-master': abi.KVM_IRQCHIP_PIC_MASTER,
  'pic-slave': abi.KVM_IRQCHIP_PIC_SLAVE,
  ioapic: abi.KVM_IRQCHIP_IOAPIC,
} as const;

/** struct kvm_irq_routing with its entries. */
export function encodeRouting(routes: readonly GsiRoute[]): Uint8Array {
  const bytes = new Uint8Array(8 + routes.length * abi.SIZEOF_KVM_IRQ_ROUTING_ENTRY);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, routes.length, true);
  for (const [i, route] of routes.entries()) {
    const at = 8 + i * abi.SIZEOF_KVM_IRQ_ROUTING_ENTRY;
    view.setUint32(at, route.gsi, true);
    if (route.kind === 'irqchip') {
      view.setUint32(at + 4, abi.KVM_IRQ_ROUTING_IRQCHIP, true);
      view.setUint32(at + 16, ROUTING_CHIPS[route.chip], true);
      view.setUint32(at + 20, route.pin, true);
    } else {
      view.setUint32(at + 4, abi.KVM_IRQ_ROUTING_MSI, true);
      view.setBigUint64(at + 16, route.msi.address, true);
      view.setUint32(at + 24, route.msi.data, true);
    }
  }
  return bytes;
}
