export type { ProbeResult } from '@vireo/kvm';
export { probeKvm } from './accelerator.ts';
export type { VcpuFailure, VmConfig, VmOutcome } from './config.ts';
export { VirtualMachine } from './virtual-machine.ts';
