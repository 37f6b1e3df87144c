/** SYSCALL, SYSRET, SYSENTER and SYSEXIT (Intel SDM Vol. 3A §5.8.7 "Performing Fast Calls to System Procedures", §5.8.8 "Fast System Calls in 64-Bit Mode"). */
import type { Segment } from '@vireo/hypervisor';
import { generalProtection, undefinedOpcode } from './guest-fault.ts';
import { requireSupervisor } from './privilege-checks.ts';
import { is64BitMode, isCanonical, operatingMode, type Processor, RFLAGS } from './processor.ts';
import type { Operation, Operations, SystemProcessor } from './system-processor.ts';

const SYSENTER_CS = 0x174;
const SYSENTER_ESP = 0x175;
const SYSENTER_EIP = 0x176;
const STAR = 0xc000_0081;
const LSTAR = 0xc000_0082;
const SFMASK = 0xc000_0084;
const EFER_SCE = 1n;

const CODE = 11;
const DATA = 3;
/** What SYSRET takes from R11: not RF and VM, nor reserved bits. */
const SYSRET_FLAGS = 0x3c_7fd7n;

/** These segments are as the manual says, whatever their descriptors: from 0 to 4 GiB. */
const flat = (selector: number, type: number, width: { long: boolean; defaultBig: boolean }): Segment => ({
  ...{ selector, base: 0n, limit: 0xffffffff, type, nonSystem: true, dpl: selector & 3, present: true },
  ...{ available: false, granularity: true, unusable: false },
  ...width,
});
const code = (selector: number, isLong: boolean): Segment =>
  flat(selector, CODE, { long: isLong, defaultBig: !isLong });
const stack = (selector: number): Segment => flat(selector, DATA, { long: false, defaultBig: true });

/** Without it, and outside of 64-bit mode, as Intel's processors have it, SYSCALL and SYSRET do not exist. */
function requireSystemCalls(processor: Processor): void {
  if ((processor.special.efer & EFER_SCE) === 0n || !is64BitMode(processor)) throw undefinedOpcode();
}

/** Intel SDM Vol. 2B "SYSCALL—Fast System Call". */
const systemCall: Operation = (processor) => {
  requireSystemCalls(processor);
  const { general, special } = processor;
  const selector = Number((processor.msr(STAR) >> 32n) & 0xfffcn);
  general.rcx = general.rip;
  general.r11 = general.rflags & ~RFLAGS.RF;
  general.rip = processor.msr(LSTAR);
  general.rflags = (general.rflags & ~processor.msr(SFMASK) & ~RFLAGS.RF) | 2n;
  special.cs = code(selector, true);
  special.ss = stack((selector + 8) & 0xffff);
};

/** Intel SDM Vol. 2B "SYSRET—Return From Fast System Call". */
const systemReturn: Operation = (processor, { operandBits }) => {
  requireSystemCalls(processor);
  requireSupervisor(processor);
  const { general, special } = processor;
  const isLong = operandBits === 64;
  if (isLong && !isCanonical(general.rcx)) throw generalProtection();
  const selector = Number((processor.msr(STAR) >> 48n) & 0xffffn);
  general.rip = isLong ? general.rcx : general.rcx & 0xffff_ffffn;
  general.rflags = (general.r11 & SYSRET_FLAGS) | 2n;
  special.cs = code(((selector + (isLong ? 16 : 0)) & 0xffff) | 3, isLong);
  special.ss = stack(((selector + 8) & 0xffff) | 3);
};

/** The selector that the others follow; null: these instructions are off. @throws GuestFault #GP(0) */
function systemEnterSelector(processor: SystemProcessor): number {
  const selector = Number(processor.msr(SYSENTER_CS) & 0xfffcn);
  if (operatingMode(processor) === 'real' || selector === 0) throw generalProtection();
  return selector;
}

/** Intel SDM Vol. 2B "SYSENTER—Fast System Call". From virtual-8086 mode, too. */
const systemEnter: Operation = (processor) => {
  const selector = systemEnterSelector(processor);
  const { general, special } = processor;
  const isLong = operatingMode(processor) === 'long';
  const widthBits = isLong ? 64 : 32;
  general.rflags &= ~(RFLAGS.VM | RFLAGS.IF | RFLAGS.RF);
  general.rsp = BigInt.asUintN(widthBits, processor.msr(SYSENTER_ESP));
  general.rip = BigInt.asUintN(widthBits, processor.msr(SYSENTER_EIP));
  special.cs = code(selector, isLong);
  special.ss = stack((selector + 8) & 0xffff);
};

/** Intel SDM Vol. 2B "SYSEXIT—Fast Return from Fast System Call". */
const systemExit: Operation = (processor, { operandBits }) => {
  const selector = systemEnterSelector(processor);
  requireSupervisor(processor);
  const { general, special } = processor;
  const isLong = operandBits === 64;
  if (isLong && !(isCanonical(general.rcx) && isCanonical(general.rdx))) throw generalProtection();
  const cs = selector + (isLong ? 32 : 16);
  const widthBits = isLong ? 64 : 32;
  general.rsp = BigInt.asUintN(widthBits, general.rcx);
  general.rip = BigInt.asUintN(widthBits, general.rdx);
  special.cs = code((cs & 0xffff) | 3, isLong);
  special.ss = stack(((cs + 8) & 0xffff) | 3);
};

export const SYSTEM_CALLS = {
  ...{ systemCall, systemReturn, systemEnter, systemExit },
} satisfies Partial<Operations>;
