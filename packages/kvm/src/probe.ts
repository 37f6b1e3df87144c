/**
 * Can an accelerator run an unmodified 64-bit kernel? Found out by running, in a throw-away VM, the instructions that
 * such a kernel needs early: /dev/kvm may exist on a host whose KVM only emulates integer code.
 */
import { closeSync } from 'node:fs';
import type { Hypervisor, Segment, SpecialRegisters, VcpuExit } from '@vireo/hypervisor';
import { Mapping, memoryFile } from '@vireo/linux';

/** The groups of instructions that are tried, each named as its feature is. */
export type ProbedFeature = '64-bit mode' | 'SSE2' | 'CMPXCHG16B';

export type ProbeResult =
  | { readonly kind: 'able' }
  /** The features whose instructions it gave up on. */
  | { readonly kind: 'unable'; readonly missing: readonly ProbedFeature[] };

const PROBES: readonly { feature: ProbedFeature; code: readonly number[] }[] = [
  { feature: '64-bit mode', code: [0x48, 0xff, 0xc0] }, // inc rax
  { feature: 'SSE2', code: [0x66, 0x0f, 0xef, 0xc0] }, // pxor xmm0, xmm0
  { feature: 'CMPXCHG16B', code: [0xf0, 0x48, 0x0f, 0xc7, 0x0f] }, // lock cmpxchg16b [rdi]
];
const HLT = 0xf4;

const MEMORY_BYTES = 0x200000;
const PML4 = 0x2000;
const PDPT = 0x3000;
const PAGE_DIRECTORY = 0x4000;
const CODE = 0x10000;
const DATA = 0x20000;
/** A guest that runs these instructions needs two exits at most; interrupted runs are repeated. */
const RUNS_MAX = 16;

/** Runs the probe; costs one VM where all is well. */
export function probe(hypervisor: Hypervisor): ProbeResult {
  if (
    runsToHalt(
      hypervisor,
      PROBES.flatMap(({ code }) => code),
    )
  )
    return { kind: 'able' };
  const failing = PROBES.filter(({ code }) => !runsToHalt(hypervisor, code));
  return { kind: 'unable', missing: failing.map(({ feature }) => feature) };
}

function runsToHalt(hypervisor: Hypervisor, code: readonly number[]): boolean {
  const fd = memoryFile('vireo-probe', MEMORY_BYTES);
  try {
    return runsInMemoryOf(fd, hypervisor, code);
  } finally {
    closeSync(fd);
  }
}

/** The memory is a file's, since not every accelerator can use any other. */
function runsInMemoryOf(fd: number, hypervisor: Hypervisor, code: readonly number[]): boolean {
  using mapping = Mapping.map({ lengthBytes: MEMORY_BYTES, fd });
  writeGuest(mapping.buffer, code);
  const vm = hypervisor.createVm();
  const backing = { fd, fdOffset: 0, hva: mapping.hva, sizeBytes: MEMORY_BYTES, buffer: mapping.buffer };
  vm.setMemorySlot({ id: 0, gpa: 0, sizeBytes: MEMORY_BYTES, backing, backingOffset: 0 });
  const handle = vm.createVcpu(0);
  const vcpu = handle.open();
  try {
    vcpu.setCpuid(hypervisor.supportedCpuid());
    vcpu.setSpecialRegisters(longMode(vcpu.getSpecialRegisters()));
    vcpu.setRegisters({ ...vcpu.getRegisters(), rip: BigInt(CODE), rdi: BigInt(DATA), rflags: 2n });
    return runToExit(() => vcpu.run()).kind === 'hlt';
  } finally {
    vcpu.close();
    handle.close();
    vm.close();
  }
}

function runToExit(run: () => VcpuExit): VcpuExit {
  let exit = run();
  for (let i = 0; i < RUNS_MAX && exit.kind === 'interrupted'; i++) exit = run();
  return exit;
}

/** Page tables that map the first GiB onto itself with 2 MiB pages, and the code (Intel SDM Vol. 3A §4.5 "4-Level Paging"). */
function writeGuest(memory: ArrayBuffer, code: readonly number[]): void {
  const view = new DataView(memory);
  view.setBigUint64(PML4, BigInt(PDPT | 3), true);
  view.setBigUint64(PDPT, BigInt(PAGE_DIRECTORY | 3), true);
  view.setBigUint64(PAGE_DIRECTORY, 0x83n, true);
  new Uint8Array(memory).set([...code, HLT], CODE);
}

function longMode(registers: SpecialRegisters): SpecialRegisters {
  const flat: Segment = {
    selector: 8,
    base: 0n,
    limit: 0xffffffff,
    type: 11,
    nonSystem: true,
    dpl: 0,
    present: true,
    available: false,
    long: true,
    defaultBig: false,
    granularity: true,
    unusable: false,
  };
  const data: Segment = { ...flat, selector: 16, type: 3, long: false, defaultBig: true };
  return {
    ...registers,
    cs: flat,
    ds: data,
    es: data,
    fs: data,
    gs: data,
    ss: data,
    cr0: 0x80050033n, // PG, WP, NE, ET, MP, PE
    cr3: BigInt(PML4),
    cr4: 0x620n, // OSXMMEXCPT, OSFXSR, PAE
    efer: 0x500n, // LMA, LME
  };
}
