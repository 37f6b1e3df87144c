/** RFLAGS as a whole, IF and AC (Intel SDM Vol. 1 §3.4.3 "EFLAGS Register"). Without the virtual-8086 mode extensions: CR4.VME and PVI do nothing. */
import { CR4 } from './cr4-bits.ts';
import { generalProtection, undefinedOpcode } from './guest-fault.ts';
import { ioPrivilegeLevel, operatingMode, type Processor, privilegeLevel, RFLAGS } from './processor.ts';
import type { Operation, Operations, SystemProcessor } from './system-processor.ts';

/** What POPF may set at any privilege: not RF and VM, nor IF and IOPL. */
const ANYBODY = 0x24_4dd5n;
const SMAP_FEATURE = 1 << 20;

/** PUSHF, POPF and INT n belong to the monitor of a virtual-8086 task, unless it lets go of them. @throws GuestFault #GP(0) */
export function requireIoPrivilegeInVirtual8086(processor: Processor): void {
  if (operatingMode(processor) === 'virtual-8086' && ioPrivilegeLevel(processor) < 3)
    throw generalProtection();
}

/** Which flags POPF and IRET may change, besides those that anybody may. */
export function settableByPrivilege(processor: Processor): bigint {
  const cpl = privilegeLevel(processor);
  const ifBit = cpl <= ioPrivilegeLevel(processor) ? RFLAGS.IF : 0n;
  return cpl === 0 ? ifBit | RFLAGS.IOPL : ifBit;
}

/** Intel SDM Vol. 2B "PUSHF/PUSHFD/PUSHFQ—Push EFLAGS Register onto the Stack": with VM and RF clear. */
const readFlags: Operation = (processor) => {
  requireIoPrivilegeInVirtual8086(processor);
  return processor.general.rflags & ~(RFLAGS.VM | RFLAGS.RF);
};

/** Intel SDM Vol. 2B "POPF/POPFD/POPFQ—Pop Stack into EFLAGS Register". */
const writeFlags: Operation = (processor, { a, operandBits }) => {
  requireIoPrivilegeInVirtual8086(processor);
  const { general } = processor;
  const settable = ANYBODY | settableByPrivilege(processor);
  if (operandBits === 16) general.rflags = merge(general.rflags, a, settable & 0xffffn);
  else general.rflags = merge(general.rflags, a, settable) & ~RFLAGS.RF;
};

const merge = (old: bigint, value: bigint, mask: bigint): bigint => (old & ~mask) | (value & mask) | 2n;

/** The check that CLI and STI share. @throws GuestFault #GP(0) */
function requireIoPrivilege(processor: SystemProcessor): void {
  if (privilegeLevel(processor) > ioPrivilegeLevel(processor)) throw generalProtection();
}

/** Intel SDM Vol. 2A "CLI—Clear Interrupt Flag". */
const clearInterruptFlag: Operation = (processor) => {
  requireIoPrivilege(processor);
  processor.general.rflags &= ~RFLAGS.IF;
};

/** Intel SDM Vol. 2B "STI—Set Interrupt Flag". */
const setInterruptFlag: Operation = (processor) => {
  requireIoPrivilege(processor);
  const { general } = processor;
  if ((general.rflags & RFLAGS.IF) !== 0n) return;
  general.rflags |= RFLAGS.IF;
  processor.blockInterrupts('sti');
};

/** Intel SDM Vol. 2A "CLAC—Clear AC Flag in EFLAGS Register", Vol. 2B "STAC—Set AC Flag in EFLAGS Register". */
const setAccessFlag: Operation = (processor, { a }) => {
  if (privilegeLevel(processor) > 0 || !hasSmap(processor)) throw undefinedOpcode();
  const { general } = processor;
  general.rflags = a === 0n ? general.rflags & ~RFLAGS.AC : general.rflags | RFLAGS.AC;
};

const hasSmap = (processor: SystemProcessor): boolean =>
  (processor.special.cr4 & CR4.SMAP) !== 0n || (processor.cpuid(7, 0).ebx & SMAP_FEATURE) !== 0;

export const FLAGS = {
  ...{ readFlags, writeFlags },
  ...{ setInterruptFlag, clearInterruptFlag, setAccessFlag },
} satisfies Partial<Operations>;
