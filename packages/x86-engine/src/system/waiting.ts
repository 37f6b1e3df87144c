/** Instructions after which a processor does nothing for a while, and the call of the hypervisor. */
import { generalProtection, undefinedOpcode } from './guest-fault.ts';
import { requireSupervisor } from './privilege-checks.ts';
import { accessPrivilege, is64BitMode, privilegeLevel } from './processor.ts';
import type { Operation, Operations, SystemProcessor } from './system-processor.ts';

const MONITOR_FEATURE = 1 << 3;

/** Intel SDM Vol. 2A "HLT—Halt". */
const halt: Operation = (processor) => {
  requireSupervisor(processor);
  processor.halt();
};

/** Both take no extensions, in ECX. @throws GuestFault #UD, or #GP(0) */
function requireMonitor(processor: SystemProcessor): void {
  const hasFeature = (processor.cpuid(1, 0).ecx & MONITOR_FEATURE) !== 0;
  if (!hasFeature || privilegeLevel(processor) > 0) throw undefinedOpcode();
  if ((processor.general.rcx & 0xffff_ffffn) !== 0n) throw generalProtection();
}

/** Intel SDM Vol. 2B "MONITOR—Set Up Monitor Address": an offset in DS, which must be one that can be read. */
const monitor: Operation = (processor, { a }) => {
  requireMonitor(processor);
  const { memory, special } = processor;
  const gva = is64BitMode(processor) ? a : (special.ds.base + a) & 0xffff_ffffn;
  memory.check(gva, 1, 'read', accessPrivilege(processor));
};

/**
 * Intel SDM Vol. 2B "MWAIT—Monitor Wait". It ends at once, as it may at any time: nobody watches the monitored address,
 * and to sleep through a store there would be wrong.
 */
const monitorWait: Operation = (processor) => {
  requireMonitor(processor);
};

/** Intel SDM Vol. 2D "VMCALL—Call to VM Monitor". Who may call what is the hypervisor's to say. */
const hypercall: Operation = (processor) => {
  processor.hypercall();
};

export const WAITING = { halt, monitor, monitorWait, hypercall } satisfies Partial<Operations>;
