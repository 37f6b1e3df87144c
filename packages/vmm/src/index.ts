export { UserError } from '@vireo/boot';
export type { VcpuFailure, VmConfig, VmOutcome } from './config.ts';
export { VirtualMachine } from './virtual-machine.ts';
