export type * from './contract.ts';
export type * from './exits.ts';
export type * from './interrupts.ts';
export * from './vcpu-state.ts';
