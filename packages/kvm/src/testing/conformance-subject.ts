/** The host's KVM as the conformance suite wants it, and what of the suite it can run. */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import type { MemoryBacking } from '@vireo/guest-memory';
import { type ConformanceSubject, type Feature, probeFeatures } from '@vireo/hypervisor/conformance';
import { Mapping } from '@vireo/linux';
import { openKvm } from '../kvm.ts';

const DEVICE = '/dev/kvm';

/** Whatever KVM runs on; others are found by running their instructions. */
const ALWAYS: readonly Feature[] = ['threads', 'in-kernel-interrupt-controllers'];
const ON_HARDWARE: readonly Feature[] = [
  ...(['hardware-debug', 'software-breakpoints', 'segment-checks', 'interrupt-shadow'] as const),
  ...(['reserved-bit-faults', 'prompt-code-changes', 'alignment-checks', 'code-limit-checks'] as const),
  ...(['float-exceptions', 'whole-stores', 'canonical-segment-bases', 'injected-exception-classes'] as const),
];
/**
 * What QEMU 7.2's software emulation, KVM's processor in the lab, does not do as the manuals say: it loads DR7 from the
 * VMCB without arming it and leaves armed what a guest set, does not load the interrupt shadow, intercepts neither INT3
 * nor XSETBV, does not check limits of segments and alignment, clears P in the error code of reserved bits, runs on for a
 * while with the code that a guest has just rewritten, never raises #XM, and #MF only at FWAIT, stores in parts of 8 bytes
 * before it looks at the next page, lets WRGSBASE write anything, and takes no exception for a double fault that comes while
 * it delivers what the VMCB injects.
 */
const NOT_IN_QEMU: readonly Feature[] = [...ON_HARDWARE, 'xsave', 'avx'];
/** No processor with virtualization and no kernel since 4.x lacks these. */
export const EXPECTED_ON_HARDWARE: readonly Feature[] = [
  ...ALWAYS,
  ...(['readonly-memory', 'tsc-deadline', 'kvmclock', 'x2apic', 'x87', 'sse', 'cmpxchg16b'] as const),
];
/** Whether KVM has VMX or SVM to run on. */
export const isOnHardware = ['kvm_intel', 'kvm_amd'].some((name) => existsSync(`/sys/module/${name}`));

/** Why there is no KVM here to run the suite on. */
export function missingDevice(): string | undefined {
  if (!existsSync(DEVICE)) return `no ${DEVICE}: the lab has one (npm run lab)`;
  try {
    accessSync(DEVICE, constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return `${DEVICE} is not ours to open: join the group that owns it`;
  }
}

export function kvmSubject(): ConformanceSubject {
  const hypervisor = openKvm();
  const { readonlyMemory, tscDeadlineTimer } = hypervisor.capabilities;
  const features = new Set<Feature>(ALWAYS);
  if (readonlyMemory) features.add('readonly-memory');
  if (tscDeadlineTimer) features.add('tsc-deadline');
  if (isOnHardware) for (const feature of ON_HARDWARE) features.add(feature);
  const mappings = new Map<MemoryBacking, Mapping>();
  const subject: ConformanceSubject = {
    name: 'kvm',
    hypervisor,
    features,
    workerModule: import.meta.resolve('@vireo/kvm'),
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
  };
  const found = probeFeatures(subject);
  const emulated = readFileSync('/proc/cpuinfo', 'utf8').includes('QEMU TCG');
  if (emulated) for (const feature of NOT_IN_QEMU) found.delete(feature);
  return { ...subject, features: found };
}
