/** The engine, in a file of its own: a VM on KVM does not load it. */
export { openEngine } from '@vireo/engine-host/engine';
