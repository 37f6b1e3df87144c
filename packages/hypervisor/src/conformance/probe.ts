/**
 * Which features a subject has. Capabilities and CPUID say most; for instructions only running them tells, since a KVM
 * may do nothing but emulate integer code. What ends in 'internal-error' is an instruction it lacks; whatever else
 * happens, the feature counts as there, and the cases judge it.
 */
import type { CpuidEntry } from '../vcpu-state.ts';
import { type Assembler, at, edi, rdi, xmm0 } from './assembler.ts';
import { done } from './guest-code.ts';
import { DATA } from './guest-layout.ts';
import { enableSse, enableXsave, XCR0_AVX, XCR0_SSE, XCR0_X87 } from './guest-vector.ts';
import { Machine } from './machine.ts';
import type { ConformanceSubject, Feature } from './subject.ts';

interface Probe {
  readonly feature: Feature;
  /** The CPUID bit that shows it to guests. */
  readonly leaf: number;
  readonly register: 'eax' | 'ebx' | 'ecx' | 'edx';
  readonly bit: number;
  /** Instructions to run, at least one of each group that may be missing. */
  readonly code?: (a: Assembler) => void;
}

const PROBES: readonly Probe[] = [
  { feature: 'x2apic', leaf: 1, register: 'ecx', bit: 21 },
  { feature: 'kvmclock', leaf: 0x40000001, register: 'eax', bit: 3 },
  { feature: 'smep', leaf: 7, register: 'ebx', bit: 7 },
  { feature: 'smap', leaf: 7, register: 'ebx', bit: 20 },
  { feature: 'invpcid', leaf: 7, register: 'ebx', bit: 10 },
  { feature: 'pcid', leaf: 1, register: 'ecx', bit: 17 },
  { feature: 'fsgsbase', leaf: 7, register: 'ebx', bit: 0 },
  { feature: 'umip', leaf: 7, register: 'ecx', bit: 2 },
  { feature: '1-gib-pages', leaf: 0x80000001, register: 'edx', bit: 26 },
  {
    feature: 'x87',
    ...{ leaf: 1, register: 'edx', bit: 0 },
    code(a) {
      a.fninit();
      a.fldpi();
      a.fstpDouble(at(rdi));
    },
  },
  {
    feature: 'sse',
    ...{ leaf: 1, register: 'edx', bit: 26 },
    code(a) {
      enableSse(a);
      a.movups(xmm0, at(rdi));
      a.pxor(xmm0, xmm0);
      a.fxsave(at(rdi));
    },
  },
  {
    feature: 'cmpxchg16b',
    ...{ leaf: 1, register: 'ecx', bit: 13 },
    code(a) {
      a.lock();
      a.cmpxchg16b(at(rdi));
    },
  },
  {
    feature: 'xsave',
    ...{ leaf: 1, register: 'ecx', bit: 26 },
    code(a) {
      enableSse(a);
      enableXsave(a, XCR0_X87 | XCR0_SSE);
      a.xsave(at(rdi));
    },
  },
  {
    feature: 'avx',
    ...{ leaf: 1, register: 'ecx', bit: 28 },
    code(a) {
      enableSse(a);
      enableXsave(a, XCR0_X87 | XCR0_SSE | XCR0_AVX);
      a.vmovdqu('load', xmm0, at(rdi));
    },
  },
];

/** 'Genu', of GenuineIntel. */
const GENUINE = 0x756e6547;

/** What instructions and CPUID say; the subject's own features are taken as they are. */
export function probeFeatures(subject: ConformanceSubject): Set<Feature> {
  const features = new Set(subject.features);
  const cpuid = subject.hypervisor.supportedCpuid();
  for (const probe of PROBES)
    if (isShown(cpuid, probe) && canRun(subject, probe)) features.add(probe.feature);
  if (cpuid.some(({ leaf, ebx }) => leaf === 0 && ebx === GENUINE)) features.add('sysenter-in-long-mode');
  return features;
}

function isShown(cpuid: readonly CpuidEntry[], { leaf, register, bit }: Probe): boolean {
  const entry = cpuid.find((it) => it.leaf === leaf);
  return entry !== undefined && ((entry[register] >>> bit) & 1) === 1;
}

function canRun(subject: ConformanceSubject, { code }: Probe): boolean {
  if (code === undefined) return true;
  const machine = new Machine(subject, undefined, {
    code(a) {
      a.mov(edi, DATA);
      code(a);
      done(a);
    },
  });
  try {
    return machine.run().kind !== 'internal-error';
  } finally {
    machine.close();
  }
}
