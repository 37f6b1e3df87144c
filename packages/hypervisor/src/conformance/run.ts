/**
 * The conformance suite: what every implementation of the contract must do, as tests of `node:test`.
 *
 *     registerConformance({ name: 'kvm', hypervisor: openKvm(), … });
 *     registerTransfers(kvm, engine);
 */
import { registerCases } from './case-registration.ts';
import { CONFORMANCE_CASES } from './cases.ts';
import { sharedCpuid } from './shared-cpuid.ts';
import type { ConformanceSubject } from './subject.ts';
import { TRANSFER_CASES } from './transfer-cases.ts';

export type { ConformanceCase } from './conformance-case.ts';
export { probeFeatures } from './probe.ts';
export type { ConformanceSubject, Feature } from './subject.ts';
export { CONFORMANCE_CASES };

/** Registers one subtest per case; those that need what the subject lacks are skipped and say what it is. */
export function registerConformance(subject: ConformanceSubject): void {
  registerCases(subject.name, CONFORMANCE_CASES, [subject]);
}

/** The same for guests that are moved from one subject to another, both ways. They see a processor that both can be. */
export function registerTransfers(one: ConformanceSubject, other: ConformanceSubject): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    const guestCpuid = sharedCpuid(from.hypervisor.supportedCpuid(), to.hypervisor.supportedCpuid());
    const subjects = [from, to].map((subject) => ({ ...subject, guestCpuid }));
    registerCases(`${from.name} to ${to.name}`, TRANSFER_CASES, subjects);
  }
}
