/** What instructions ask of mode and privilege before they do anything (Intel SDM Vol. 3A §5.9 "Privileged Instructions"). */
import { generalProtection, undefinedOpcode } from './guest-fault.ts';
import { operatingMode, type Processor, privilegeLevel } from './processor.ts';

const CR4_UMIP = 1n << 11n;

/** @throws GuestFault #GP(0) above privilege level 0, and so in virtual-8086 mode */
export function requireSupervisor(processor: Processor): void {
  if (privilegeLevel(processor) !== 0) throw generalProtection();
}

/** @throws GuestFault #UD in real-address and virtual-8086 mode, which lack the instruction */
export function requireProtectedMode(processor: Processor): void {
  const mode = operatingMode(processor);
  if (mode === 'real' || mode === 'virtual-8086') throw undefinedOpcode();
}

/** CR4.UMIP: what tells where the system's tables are is for the supervisor (Intel SDM Vol. 3A §2.5 "Control Registers"). */
export function requireUserModeInstructions(processor: Processor): void {
  if ((processor.special.cr4 & CR4_UMIP) !== 0n && privilegeLevel(processor) > 0) throw generalProtection();
}
