/**
 * The model-specific registers of a vCPU: those that an operating system finds by what CPUID shows (supported-cpuid.ts),
 * and no others. What is unknown, reserved or not canonical is #GP(0) (Intel SDM Vol. 2D "WRMSR—Write to Model Specific
 * Register", Vol. 4 §2.1 "Architectural MSRs").
 *
 * Registers that something else works with are kept there (`MsrHost`); the others are kept here.
 */
import { APIC_BASE_BSP, APIC_BASE_ENABLE, APIC_BASE_X2APIC } from '../interrupts/lapic-registers.ts';
import type { VcpuInterrupts } from '../interrupts/vcpu-interrupts.ts';
import { isCanonical } from '../system/processor.ts';
import { isEfer, writtenEfer } from './efer.ts';
import { identificationMsrs, UNUSED_FEATURE_MSRS } from './identification-msrs.ts';
import { MTRR_INDICES, memoryTypeMsrs } from './memory-type-msrs.ts';
import { absent, hasOnly, isAny, isWord, kept, type Msr, stored } from './msr.ts';
import * as index from './msr-index.ts';
import { paravirtualClockMsrs } from './paravirtual-msrs.ts';
import type { Tsc } from './tsc.ts';

/** What of `VcpuInterrupts` are MSRs. */
export type ApicMsrs = Pick<
  VcpuInterrupts,
  'readMsr' | 'writeMsr' | 'apicBase' | 'writeApicBase' | 'setApicBase' | 'tscDeadline'
>;

/** Where the registers are that something else works with, and who is told of the others. */
export interface MsrHost {
  efer: bigint;
  /** CR0.PG. */
  readonly pagingEnabled: boolean;
  fsBase: bigint;
  gsBase: bigint;
  kernelGsBase: bigint;
  readonly tsc: Tsc;
  /** Null on a VM without interrupt controllers. */
  readonly interrupts: ApicMsrs | null;
  /** The TSC was set: the deadline is at another time (`VcpuInterrupts.tscMoved`), and kvmclock's structure has to be written again. */
  tscMoved(): void;
  /** kvmclock's structure is to be at this address from now on, or nowhere. Guest or saved state may have chosen any. */
  systemTimeMoved(gpa: bigint | undefined): void;
  /** The wall clock's structure is to be written to this address, once. Any address. */
  wallClockAsked(gpa: bigint): void;
}

export interface MsrOptions {
  readonly physicalAddressBits: number;
  readonly tscKhz: number;
}

/** Fast strings, and that branch trace and PEBS are not there, which a saved state may say and nobody else changes. */
const MISC_ENABLE_FAST_STRINGS = 1n << 0n;
const MISC_ENABLE_READ_ONLY = (1n << 11n) | (1n << 12n);

/** LBR, whose records nobody sees, and BTF (Vol. 3B §17.4.1 "IA32_DEBUGCTL MSR"). */
const DEBUGCTL_BITS = (1n << 0n) | (1n << 1n);

/** Off, xAPIC, x2APIC; x2APIC and off is none (Vol. 3A §10.12.1). */
const APIC_BASE_MODE = APIC_BASE_ENABLE | APIC_BASE_X2APIC;

/** In the order in which they are restored: the TSC before what is derived from it, the deadline last. */
export const SAVED_MSR_INDICES: readonly number[] = [
  index.IA32_TIME_STAMP_COUNTER,
  index.IA32_TSC_ADJUST,
  index.IA32_TSC_AUX,
  index.IA32_SYSENTER_CS,
  index.IA32_SYSENTER_ESP,
  index.IA32_SYSENTER_EIP,
  index.IA32_STAR,
  index.IA32_LSTAR,
  index.IA32_CSTAR,
  index.IA32_FMASK,
  index.IA32_KERNEL_GS_BASE,
  index.IA32_PAT,
  index.IA32_MISC_ENABLE,
  index.IA32_DEBUGCTL,
  ...MTRR_INDICES,
  index.MSR_KVM_WALL_CLOCK_NEW,
  index.MSR_KVM_SYSTEM_TIME_NEW,
  index.IA32_TSC_DEADLINE,
];

export class MsrFile {
  /** What `hostWrite` wants of a saved state, in this order. */
  readonly savedIndices = SAVED_MSR_INDICES;
  readonly #interrupts: ApicMsrs | null;
  readonly #msrs: ReadonlyMap<number, Msr>;

  constructor(host: MsrHost, { physicalAddressBits, tscKhz }: MsrOptions) {
    this.#interrupts = host.interrupts;
    this.#msrs = new Map([
      ...identificationMsrs(tscKhz),
      ...UNUSED_FEATURE_MSRS,
      ...memoryTypeMsrs(physicalAddressBits),
      ...paravirtualClockMsrs(host, physicalAddressBits),
      ...counterMsrs(host),
      ...systemCallMsrs(),
      ...segmentMsrs(host),
      ...apicMsrs(host.interrupts, physicalAddressBits),
      [index.IA32_EFER, eferMsr(host)],
      [index.IA32_MISC_ENABLE, miscEnableMsr()],
      [index.IA32_DEBUGCTL, stored(0n, hasOnly(DEBUGCTL_BITS))],
    ]);
  }

  /** RDMSR; undefined is #GP(0). */
  read(at: number): bigint | undefined {
    return isX2apic(at) ? this.#readX2apic(at) : this.#msrs.get(at)?.read();
  }

  /** WRMSR; false is #GP(0), and nothing has changed. */
  write(at: number, value: bigint): boolean {
    if (isX2apic(at)) return this.#interrupts?.writeMsr(at, value) === 'ok';
    return this.#msrs.get(at)?.write(value) ?? false;
  }

  /** Writes for the host, which may bring a register to any value that it can have. */
  hostWrite(at: number, value: bigint): boolean {
    if (value !== BigInt.asUintN(64, value)) return false;
    if (isX2apic(at)) return this.write(at, value);
    return this.#msrs.get(at)?.restore(value) ?? false;
  }

  #readX2apic(at: number): bigint | undefined {
    const value = this.#interrupts?.readMsr(at);
    return value === 'gp' ? undefined : value;
  }
}

const isX2apic = (at: number): boolean => at >= index.X2APIC_FIRST && at <= index.X2APIC_LAST;

function counterMsrs(host: MsrHost): [number, Msr][] {
  const { tsc } = host;
  const moves = (
    read: () => bigint,
    write: (value: bigint) => void,
    restore: (value: bigint) => void,
  ): Msr => {
    const then = (take: (value: bigint) => void) => (value: bigint) => {
      take(value);
      host.tscMoved();
      return true;
    };
    return { read, write: then(write), restore: then(restore) };
  };
  const counter = moves(
    () => tsc.value,
    (value) => tsc.write(value),
    (value) => {
      tsc.value = value;
    },
  );
  const adjust = moves(
    () => tsc.adjust,
    (value) => tsc.writeAdjust(value),
    (value) => {
      tsc.adjust = value;
    },
  );
  return [
    [index.IA32_TIME_STAMP_COUNTER, counter],
    [index.IA32_TSC_ADJUST, adjust],
    [index.IA32_TSC_AUX, stored(0n, isWord)],
  ];
}

/** SYSCALL's and SYSENTER's (Vol. 3A §5.8.7 "Performing Fast Calls to System Procedures with the SYSENTER and SYSEXIT Instructions", §5.8.8 "Fast System Calls in 64-Bit Mode"). */
function systemCallMsrs(): [number, Msr][] {
  return [
    [index.IA32_SYSENTER_CS, stored(0n, isWord)],
    [index.IA32_SYSENTER_ESP, stored(0n, isCanonical)],
    [index.IA32_SYSENTER_EIP, stored(0n, isCanonical)],
    [index.IA32_STAR, stored(0n, isAny)],
    [index.IA32_LSTAR, stored(0n, isCanonical)],
    [index.IA32_CSTAR, stored(0n, isCanonical)],
    [index.IA32_FMASK, stored(0n, isWord)],
  ];
}

function segmentMsrs(host: MsrHost): [number, Msr][] {
  const base = (name: 'fsBase' | 'gsBase' | 'kernelGsBase'): Msr => {
    const take = (value: bigint): void => {
      host[name] = value;
    };
    return kept(() => host[name], take, isCanonical);
  };
  return [
    [index.IA32_FS_BASE, base('fsBase')],
    [index.IA32_GS_BASE, base('gsBase')],
    [index.IA32_KERNEL_GS_BASE, base('kernelGsBase')],
  ];
}

/** Without a local APIC a saved state may still have a deadline, of none. */
function apicMsrs(interrupts: ApicMsrs | null, physicalAddressBits: number): [number, Msr][] {
  if (interrupts === null) return [[index.IA32_TSC_DEADLINE, absent(0n)]];
  const address = (1n << BigInt(physicalAddressBits)) - 0x1000n;
  const hasNoReserved = hasOnly(address | APIC_BASE_BSP | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
  const base: Msr = {
    read: () => interrupts.apicBase,
    write: (value) => interrupts.writeApicBase(value) === 'ok',
    restore(value) {
      const isMode = (value & APIC_BASE_MODE) !== APIC_BASE_X2APIC;
      if (!isMode || !hasNoReserved(value)) return false;
      interrupts.setApicBase(value);
      return true;
    },
  };
  const arm = (value: bigint): void => {
    interrupts.tscDeadline = value;
  };
  return [
    [index.IA32_APIC_BASE, base],
    [index.IA32_TSC_DEADLINE, kept(() => interrupts.tscDeadline, arm, isAny)],
  ];
}

function eferMsr(host: MsrHost): Msr {
  return {
    read: () => host.efer,
    write(value) {
      const written = writtenEfer(host.efer, value, host.pagingEnabled);
      if (written !== undefined) host.efer = written;
      return written !== undefined;
    },
    restore(value) {
      if (isEfer(value)) host.efer = value;
      return isEfer(value);
    },
  };
}

/** Vol. 4 §2.1, IA32_MISC_ENABLE. */
function miscEnableMsr(): Msr {
  const msr = stored(MISC_ENABLE_FAST_STRINGS, hasOnly(MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_READ_ONLY));
  return {
    ...msr,
    write: (value) => ((value ^ msr.read()!) & MISC_ENABLE_READ_ONLY) === 0n && msr.write(value),
  };
}
