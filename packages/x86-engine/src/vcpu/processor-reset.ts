/** What INIT and the startup IPI leave in a vCPU's registers (Intel SDM Vol. 3A §9.1.1 "Processor State After Reset", Table 9-1). */
import { GENERAL_REGISTER_NAMES } from '@vireo/hypervisor/vcpu-state';
import { CpuSpecialRegisters } from './cpu-registers.ts';
import type { PendingEvents } from './pending-events.ts';
import type { VcpuCore } from './vcpu-core.ts';

const RESET_RIP = 0xfff0n;
const RFLAGS_RESET = 2n;
const CR0_RESET = 0x10n;
/** Cache disable and not write-through stay as they are. */
const CR0_CACHE = 0x6000_0000n;
const RDX_FAMILY = 0x600n;

/** Registers as after RESET or INIT. FPU and vector state and MSRs stay, as after INIT. */
export function resetProcessor(core: VcpuCore, events: PendingEvents): void {
  const { general, special } = core;
  for (const name of GENERAL_REGISTER_NAMES) general[name] = 0n;
  general.rdx = RDX_FAMILY;
  general.rip = RESET_RIP;
  general.rflags = RFLAGS_RESET;
  const fresh = new CpuSpecialRegisters({ taskPriority: 0, apicBase: 0n, setApicBase() {} });
  for (const name of ['cs', 'ds', 'es', 'fs', 'gs', 'ss', 'tr', 'ldt'] as const) special[name] = fresh[name];
  special.gdt = fresh.gdt;
  special.idt = fresh.idt;
  special.cr0 = CR0_RESET | (special.cr0 & CR0_CACHE);
  for (const name of ['cr2', 'cr3', 'cr4', 'cr8', 'efer'] as const) special[name] = 0n;
  core.debug.addresses.fill(0n);
  core.debug.dr6 = 0xffff_0ff0n;
  core.debug.dr7 = 0x400n;
  core.applyMode();
  core.invalidateTranslations('all');
  events.setShadow(0, 0n);
  events.nmiMasked = false;
}

/** The startup IPI's vector is a page number. */
export function startProcessor(core: VcpuCore, vector: number): void {
  const { general, special } = core;
  special.cs = { ...special.cs, selector: vector << 8, base: BigInt(vector) << 12n };
  general.rip = 0n;
  core.applyMode();
}
