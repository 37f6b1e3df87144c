/** What the slow paths of the system instructions work on: a vCPU's registers as the contract has them, and its memory. */
import type { GeneralRegisters, Segment, SpecialRegisters } from '@vireo/hypervisor';

/**
 * Memory by linear addresses. Accesses that fault throw a GuestFault; one that crosses pages is done as one. Addresses
 * that are not canonical are #GP(0).
 */
export interface LinearMemory {
  read(gva: bigint, lengthBytes: 1 | 2 | 4 | 8, privilege: Privilege): bigint;
  write(gva: bigint, lengthBytes: 1 | 2 | 4 | 8, value: bigint, privilege: Privilege): void;
  /** Throws what such accesses would, for what changes several places or none. */
  check(gva: bigint, lengthBytes: number, access: 'read' | 'write', privilege: Privilege): void;
}

/** 'system': the processor's own accesses, to descriptors and the TSS, whatever the CPL. */
export type Privilege = 'user' | 'supervisor' | 'system';

export interface Processor {
  readonly general: GeneralRegisters;
  readonly special: SpecialRegisters;
  readonly memory: LinearMemory;
}

export const RFLAGS = {
  CF: 1n << 0n,
  PF: 1n << 2n,
  AF: 1n << 4n,
  ZF: 1n << 6n,
  SF: 1n << 7n,
  TF: 1n << 8n,
  IF: 1n << 9n,
  DF: 1n << 10n,
  OF: 1n << 11n,
  IOPL: 3n << 12n,
  NT: 1n << 14n,
  RF: 1n << 16n,
  VM: 1n << 17n,
  AC: 1n << 18n,
  ID: 1n << 21n,
} as const;

const CR0_PE = 1n;
const EFER_LMA = 1n << 10n;

export type OperatingMode = 'real' | 'virtual-8086' | 'protected' | 'long';

/** Intel SDM Vol. 3A §2.2 "Modes of Operation"; 'long' with its compatibility mode. */
export function operatingMode({ general, special }: Processor): OperatingMode {
  if ((special.cr0 & CR0_PE) === 0n) return 'real';
  if ((special.efer & EFER_LMA) !== 0n) return 'long';
  return (general.rflags & RFLAGS.VM) !== 0n ? 'virtual-8086' : 'protected';
}

/** The privilege level is SS's, which is what it was when CS was loaded (Intel SDM Vol. 3A §5.5 "Privilege Levels"). */
export function privilegeLevel(processor: Processor): number {
  switch (operatingMode(processor)) {
    case 'real':
      return 0;
    case 'virtual-8086':
      return 3;
    default:
      return processor.special.ss.dpl;
  }
}

/** 64-bit mode, not compatibility mode (Intel SDM Vol. 3A §2.2 "Modes of Operation"). */
export const is64BitMode = (processor: Processor): boolean =>
  processor.special.cs.long && operatingMode(processor) === 'long';

/** Of the accesses that the code at hand makes. */
export const accessPrivilege = (processor: Processor): Privilege =>
  privilegeLevel(processor) === 3 ? 'user' : 'supervisor';

/** IOPL, 0 to 3 (Intel SDM Vol. 1 §3.4.3.3 "System Flags and IOPL Field"). */
export const ioPrivilegeLevel = ({ general }: Processor): number =>
  Number((general.rflags & RFLAGS.IOPL) >> 12n);

/** A stack segment that 64-bit mode has none of: the null selector with the new privilege level. */
export function nullStackSegment(privilege: number): Segment {
  return {
    ...{ selector: privilege, base: 0n, limit: 0xffffffff, type: 3, nonSystem: true, dpl: privilege },
    ...{ present: true, available: false, long: false, defaultBig: true, granularity: true, unusable: false },
  };
}

/** 48 bits of address, sign-extended. */
export const isCanonical = (address: bigint): boolean =>
  BigInt.asUintN(64, BigInt.asIntN(48, address)) === BigInt.asUintN(64, address);
