/** What the suite is run against. */
import type { MemoryBacking } from '@vireo/guest-memory';
import type { Hypervisor } from '../contract.ts';
import type { CpuidEntry } from '../vcpu-state.ts';

/**
 * What a case needs beyond integer code and the contract's basic duties. An implementation or a host that lacks one
 * runs the other cases.
 */
export type Feature =
  /** vCPUs opened in worker threads, several of them at once. */
  | 'threads'
  | 'in-kernel-interrupt-controllers'
  | 'tsc-deadline'
  | 'x2apic'
  | 'readonly-memory'
  /** Execute breakpoints and watchpoints, the debugger's and the guest's own. */
  | 'hardware-debug'
  /** INT3 as a debug exit. */
  | 'software-breakpoints'
  /** An interrupt shadow survives an exit to the host. */
  | 'interrupt-shadow'
  /** Limits and types of segments are checked. */
  | 'segment-checks'
  /** #AC at privilege level 3. */
  | 'alignment-checks'
  /** Exceptions in the delivery of an event that the hypervisor injects anew count as if the guest had raised it. */
  | 'injected-exception-classes'
  /** Exceptions of x87 and SSE that are not masked come, and where they should. */
  | 'float-exceptions'
  /** What faults on its second page has not written the first, however long it is. */
  | 'whole-stores'
  /** WRFSBASE and WRGSBASE refuse what is not canonical. */
  | 'canonical-segment-bases'
  /** Near jumps and instructions that cross it obey the limit of CS, at the instruction. */
  | 'code-limit-checks'
  /** Reserved bits of page-table entries are faults whose error code says that the page is present. */
  | 'reserved-bit-faults'
  /** Code that the vCPU itself rewrites is new at once, without a jump. */
  | 'prompt-code-changes'
  | 'kvmclock'
  // What a processor may lack, as its CPUID says.
  | 'smep'
  | 'smap'
  | 'invpcid'
  | 'pcid'
  | 'fsgsbase'
  | 'umip'
  /** SYSENTER and SYSEXIT in IA-32e mode, which AMD's processors do not have. */
  | 'sysenter-in-long-mode'
  | '1-gib-pages'
  | 'cmpxchg16b'
  | 'x87'
  | 'sse'
  | 'xsave'
  | 'avx';

export interface ConformanceSubject {
  readonly name: string;
  readonly hypervisor: Hypervisor;
  /** Zeroed memory, whole pages. */
  allocate(sizeBytes: number): MemoryBacking;
  free(backing: MemoryBacking): void;
  /** URL of a module that exports `openVcpu` (`OpenVcpu`) and `openKick` (`OpenKick`). */
  readonly workerModule: string;
  readonly features: ReadonlySet<Feature>;
  /** What guests are shown, if that is less than what the hypervisor supports. */
  readonly guestCpuid?: readonly CpuidEntry[];
}
