export { openEngine } from './engine.ts';
export { openKick, openVcpu } from './vcpu.ts';
