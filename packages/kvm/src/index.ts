export { openKick } from './kick.ts';
export { openKvm } from './kvm.ts';
export { openVcpu } from './kvm-vcpu.ts';
export { type ProbedFeature, type ProbeResult, probe } from './probe.ts';
