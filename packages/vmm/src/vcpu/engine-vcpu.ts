/** The engine's part of a vCPU's thread, in a file of its own: a thread of KVM's does not load it. */
export { openVcpu } from '@vireo/engine-host/vcpu';
