export type { ProbeResult } from '@vireo/kvm';
export { probeEngine, probeKvm } from './accelerator.ts';
export type { VcpuFailure, VmConfig, VmOutcome } from './config.ts';
export { VirtualMachine } from './virtual-machine.ts';
