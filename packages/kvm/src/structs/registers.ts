/** struct kvm_regs and struct kvm_sregs to and from the contract's registers (Linux KVM API §4.11, §4.13). */
import {
  type DescriptorTable,
  GENERAL_REGISTER_NAMES,
  type GeneralRegisters,
  type SEGMENT_NAMES,
  type Segment,
  type SpecialRegisters,
} from '@vireo/hypervisor';
import { SIZEOF_KVM_REGS, SIZEOF_KVM_SREGS } from '../abi.ts';

/** In the order of struct kvm_regs, which is not the order of the encodings. */
const REGISTER_ORDER = [
  'rax',
  'rbx',
  'rcx',
  'rdx',
  'rsi',
  'rdi',
  'rsp',
  'rbp',
  ...GENERAL_REGISTER_NAMES.slice(8),
  'rip',
  'rflags',
] as const;

/** In the order of struct kvm_sregs. */
const SEGMENT_ORDER = [
  'cs',
  'ds',
  'es',
  'fs',
  'gs',
  'ss',
  'tr',
  'ldt',
] as const satisfies typeof SEGMENT_NAMES;

const SEGMENT_BYTES = 24;
const GDT = 192;
const IDT = 208;
const CR0 = 224;
const CR2 = 232;
const CR3 = 240;
const CR4 = 248;
const CR8 = 256;
const EFER = 264;
const APIC_BASE = 272;

export function decodeRegisters(bytes: Uint8Array): GeneralRegisters {
  const view = viewOf(bytes);
  const registers: Partial<GeneralRegisters> = {};
  for (const [i, name] of REGISTER_ORDER.entries()) registers[name] = view.getBigUint64(i * 8, true);
  return registers as GeneralRegisters;
}

export function encodeRegisters(registers: GeneralRegisters): Uint8Array {
  const bytes = new Uint8Array(SIZEOF_KVM_REGS);
  const view = viewOf(bytes);
  for (const [i, name] of REGISTER_ORDER.entries()) view.setBigUint64(i * 8, registers[name], true);
  return bytes;
}

export function decodeSpecialRegisters(bytes: Uint8Array): SpecialRegisters {
  const view = viewOf(bytes);
  const segments: Partial<Record<(typeof SEGMENT_NAMES)[number], Segment>> = {};
  for (const [i, name] of SEGMENT_ORDER.entries()) segments[name] = decodeSegment(view, i * SEGMENT_BYTES);
  return {
    ...(segments as Record<(typeof SEGMENT_NAMES)[number], Segment>),
    gdt: decodeTable(view, GDT),
    idt: decodeTable(view, IDT),
    cr0: view.getBigUint64(CR0, true),
    cr2: view.getBigUint64(CR2, true),
    cr3: view.getBigUint64(CR3, true),
    cr4: view.getBigUint64(CR4, true),
    cr8: view.getBigUint64(CR8, true),
    efer: view.getBigUint64(EFER, true),
    apicBase: view.getBigUint64(APIC_BASE, true),
  };
}

/** The bitmap of queued interrupts stays empty: they travel in the events, and an empty bitmap changes nothing. */
export function encodeSpecialRegisters(registers: SpecialRegisters): Uint8Array {
  const bytes = new Uint8Array(SIZEOF_KVM_SREGS);
  const view = viewOf(bytes);
  for (const [i, name] of SEGMENT_ORDER.entries()) encodeSegment(view, i * SEGMENT_BYTES, registers[name]);
  encodeTable(view, GDT, registers.gdt);
  encodeTable(view, IDT, registers.idt);
  view.setBigUint64(CR0, registers.cr0, true);
  view.setBigUint64(CR2, registers.cr2, true);
  view.setBigUint64(CR3, registers.cr3, true);
  view.setBigUint64(CR4, registers.cr4, true);
  view.setBigUint64(CR8, registers.cr8, true);
  view.setBigUint64(EFER, registers.efer, true);
  view.setBigUint64(APIC_BASE, registers.apicBase, true);
  return bytes;
}

function decodeSegment(view: DataView, at: number): Segment {
  return {
    base: view.getBigUint64(at, true),
    limit: view.getUint32(at + 8, true),
    selector: view.getUint16(at + 12, true),
    type: view.getUint8(at + 14),
    present: view.getUint8(at + 15) !== 0,
    dpl: view.getUint8(at + 16),
    defaultBig: view.getUint8(at + 17) !== 0,
    nonSystem: view.getUint8(at + 18) !== 0,
    long: view.getUint8(at + 19) !== 0,
    granularity: view.getUint8(at + 20) !== 0,
    available: view.getUint8(at + 21) !== 0,
    unusable: view.getUint8(at + 22) !== 0,
  };
}

function encodeSegment(view: DataView, at: number, segment: Segment): void {
  view.setBigUint64(at, segment.base, true);
  view.setUint32(at + 8, segment.limit, true);
  view.setUint16(at + 12, segment.selector, true);
  view.setUint8(at + 14, segment.type);
  view.setUint8(at + 15, Number(segment.present));
  view.setUint8(at + 16, segment.dpl);
  view.setUint8(at + 17, Number(segment.defaultBig));
  view.setUint8(at + 18, Number(segment.nonSystem));
  view.setUint8(at + 19, Number(segment.long));
  view.setUint8(at + 20, Number(segment.granularity));
  view.setUint8(at + 21, Number(segment.available));
  view.setUint8(at + 22, Number(segment.unusable));
}

function decodeTable(view: DataView, at: number): DescriptorTable {
  return { base: view.getBigUint64(at, true), limit: view.getUint16(at + 8, true) };
}

function encodeTable(view: DataView, at: number, table: DescriptorTable): void {
  view.setBigUint64(at, table.base, true);
  view.setUint16(at + 8, table.limit, true);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
