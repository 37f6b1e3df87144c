/** The conformance suite on the host's KVM. */
import type { MemoryBacking } from '@vireo/guest-memory';
import { type ConformanceSubject, type Feature, registerConformance } from '@vireo/hypervisor/conformance';
import { Mapping } from '@vireo/linux';
import { openKvm } from './index.ts';

const mappings = new Map<MemoryBacking, Mapping>();

const subject: ConformanceSubject = {
  name: 'kvm',
  hypervisor: openKvm(),
  allocate(sizeBytes) {
    const mapping = Mapping.map({ lengthBytes: sizeBytes });
    const backing = { fd: -1, fdOffset: 0, hva: mapping.hva, sizeBytes, buffer: mapping.buffer };
    mappings.set(backing, mapping);
    return backing;
  },
  free(backing) {
    mappings.get(backing)?.unmap();
    mappings.delete(backing);
  },
  workerModule: import.meta.resolve('@vireo/kvm'),
  features: new Set<Feature>(['sse']),
};
registerConformance(subject);
