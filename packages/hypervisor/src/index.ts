export type * from './contract.ts';
export type * from './exits.ts';
export type * from './interrupts.ts';
export {
  clockStateFormat,
  interruptControllerStateFormat,
  type StateFormat,
  StateFormatError,
  vcpuStateFormat,
} from './state-json.ts';
export * from './vcpu-state.ts';
