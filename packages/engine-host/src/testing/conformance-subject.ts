/** The engine as the conformance suite wants it. */
import type { ConformanceSubject, Feature } from '@vireo/hypervisor/conformance';
import { openEngine } from '../engine.ts';
import { MemoryFiles } from './memory-files.ts';

/** All but AVX. */
const FEATURES: readonly Feature[] = [
  ...(['threads', 'in-kernel-interrupt-controllers', 'tsc-deadline', 'x2apic', 'readonly-memory'] as const),
  ...(['hardware-debug', 'software-breakpoints', 'interrupt-shadow', 'segment-checks', 'kvmclock'] as const),
  ...(['reserved-bit-faults', 'prompt-code-changes', 'alignment-checks', 'code-limit-checks'] as const),
  ...(['float-exceptions', 'whole-stores', 'canonical-segment-bases', 'injected-exception-classes'] as const),
  ...(['cmpxchg16b', 'x87', 'sse', 'xsave', 'smep', 'smap', 'invpcid', '1-gib-pages'] as const),
  ...(['pcid', 'fsgsbase', 'umip', 'sysenter-in-long-mode'] as const),
];

export async function engineSubject(): Promise<ConformanceSubject> {
  const files = new MemoryFiles();
  return {
    name: 'engine',
    hypervisor: await openEngine(),
    features: new Set(FEATURES),
    workerModule: import.meta.resolve('@vireo/engine-host'),
    allocate: (sizeBytes) => files.allocate(sizeBytes),
    free: (backing) => files.free(backing),
  };
}
