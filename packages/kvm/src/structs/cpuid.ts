/** struct kvm_cpuid2 and struct kvm_msrs (Linux KVM API §4.20 "KVM_SET_CPUID", §4.18 "KVM_GET_MSRS"). */
import type { CpuidEntry, MsrEntry } from '@vireo/hypervisor';
import { KVM_CPUID_FLAG_SIGNIFCANT_INDEX, SIZEOF_KVM_CPUID_ENTRY2, SIZEOF_KVM_MSR_ENTRY } from '../abi.ts';

const HEADER_BYTES = 8;

/** An empty list with room for `count` leaves, for KVM to fill. */
export function cpuidBuffer(count: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + count * SIZEOF_KVM_CPUID_ENTRY2);
  new DataView(bytes.buffer).setUint32(0, count, true);
  return bytes;
}

export function decodeCpuid(bytes: Uint8Array): CpuidEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const entries: CpuidEntry[] = [];
  for (let i = 0; i < view.getUint32(0, true); i++) {
    const at = HEADER_BYTES + i * SIZEOF_KVM_CPUID_ENTRY2;
    const indexed = (view.getUint32(at + 8, true) & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) !== 0;
    entries.push({
      leaf: view.getUint32(at, true),
      subleaf: indexed ? view.getUint32(at + 4, true) : null,
      eax: view.getUint32(at + 12, true),
      ebx: view.getUint32(at + 16, true),
      ecx: view.getUint32(at + 20, true),
      edx: view.getUint32(at + 24, true),
    });
  }
  return entries;
}

export function encodeCpuid(entries: readonly CpuidEntry[]): Uint8Array {
  const bytes = cpuidBuffer(entries.length);
  const view = new DataView(bytes.buffer);
  for (const [i, entry] of entries.entries()) {
    const at = HEADER_BYTES + i * SIZEOF_KVM_CPUID_ENTRY2;
    view.setUint32(at, entry.leaf, true);
    view.setUint32(at + 4, entry.subleaf ?? 0, true);
    view.setUint32(at + 8, entry.subleaf === null ? 0 : KVM_CPUID_FLAG_SIGNIFCANT_INDEX, true);
    view.setUint32(at + 12, entry.eax, true);
    view.setUint32(at + 16, entry.ebx, true);
    view.setUint32(at + 20, entry.ecx, true);
    view.setUint32(at + 24, entry.edx, true);
  }
  return bytes;
}

export function encodeMsrs(entries: readonly MsrEntry[]): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + entries.length * SIZEOF_KVM_MSR_ENTRY);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, entries.length, true);
  for (const [i, entry] of entries.entries()) {
    const at = HEADER_BYTES + i * SIZEOF_KVM_MSR_ENTRY;
    view.setUint32(at, entry.index, true);
    view.setBigUint64(at + 8, entry.value, true);
  }
  return bytes;
}

/** The value of entry `i` of an encoded list. */
export function msrValue(bytes: Uint8Array, i: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(
    HEADER_BYTES + i * SIZEOF_KVM_MSR_ENTRY + 8,
    true,
  );
}
