/** A vCPU's start: CPUID with its own APIC id, and the registers of the mode the guest begins in. */
import type { Vcpu } from '../contract.ts';
import type { CpuidEntry, GeneralRegisters } from '../vcpu-state.ts';
import { GENERAL_REGISTER_NAMES } from '../vcpu-state.ts';
import { type GuestMode, STACK_TOP, specialRegisters } from './guest-layout.ts';

export interface VcpuSetup {
  readonly cpuid: readonly CpuidEntry[];
  /** Undefined leaves the registers as the reset left them. */
  readonly start?: { readonly mode: GuestMode; readonly entry: number };
}

const RFLAGS_RESERVED = 2n;

export function setUpVcpu(vcpu: Vcpu, { cpuid, start }: VcpuSetup): void {
  vcpu.setCpuid(cpuid.map((entry) => withApicId(entry, vcpu.id)));
  if (start === undefined) return;
  vcpu.setSpecialRegisters(specialRegisters(start.mode, vcpu.getSpecialRegisters()));
  vcpu.setRegisters(clearedRegisters(start.entry));
}

/** All zero but for the instruction pointer, the stack's and the reserved flag. */
export function clearedRegisters(entry: number): GeneralRegisters {
  const cleared = Object.fromEntries(GENERAL_REGISTER_NAMES.map((name) => [name, 0n]));
  return {
    ...cleared,
    rsp: BigInt(STACK_TOP),
    rip: BigInt(entry),
    rflags: RFLAGS_RESERVED,
  } as GeneralRegisters;
}

/** The APIC id where CPUID shows it (Intel SDM Vol. 2A "CPUID", leaves 1, 0BH and 1FH). */
function withApicId(entry: CpuidEntry, apicId: number): CpuidEntry {
  if (entry.leaf === 1) return { ...entry, ebx: ((entry.ebx & 0xffffff) | (apicId << 24)) >>> 0 };
  if (entry.leaf === 0xb || entry.leaf === 0x1f) return { ...entry, edx: apicId };
  return entry;
}
