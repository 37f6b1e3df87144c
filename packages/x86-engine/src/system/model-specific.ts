/** MSRs, counters, XCR0 and CPUID: what a processor says of itself, in EDX:EAX or all four of EAX to EDX. */
import { CR4 } from './cr4-bits.ts';
import { generalProtection, undefinedOpcode } from './guest-fault.ts';
import { requireSupervisor } from './privilege-checks.ts';
import { type Processor, privilegeLevel } from './processor.ts';
import type { Operation, Operations, SystemProcessor } from './system-processor.ts';

const XCR0_X87 = 1n << 0n;
const XCR0_SSE = 1n << 1n;
const XCR0_AVX = 1n << 2n;
const EXTENDED_STATE_LEAF = 0xd;

const low32 = (value: bigint): bigint => value & 0xffff_ffffn;
const pairOf = ({ general }: Processor): bigint => (low32(general.rdx) << 32n) | low32(general.rax);
const index = ({ general }: Processor): number => Number(low32(general.rcx));

/** Intel SDM Vol. 2B "RDMSR—Read from Model Specific Register". */
const readMsr: Operation = (processor) => {
  requireSupervisor(processor);
  const value = processor.readMsr(index(processor));
  if (value === undefined) throw generalProtection();
  processor.general.rax = low32(value);
  processor.general.rdx = value >> 32n;
};

/** Intel SDM Vol. 2D "WRMSR—Write to Model Specific Register". */
const writeMsr: Operation = (processor) => {
  requireSupervisor(processor);
  if (!processor.writeMsr(index(processor), pairOf(processor))) throw generalProtection();
};

function requireForUsers(processor: SystemProcessor, isOpen: boolean): void {
  if (!isOpen && privilegeLevel(processor) > 0) throw generalProtection();
}

/** Intel SDM Vol. 2B "RDTSC—Read Time-Stamp Counter". */
const readTsc: Operation = (processor) => {
  requireForUsers(processor, (processor.special.cr4 & CR4.TSD) === 0n);
  return processor.readTsc();
};

/** Intel SDM Vol. 2B "RDTSCP—Read Time-Stamp Counter and Processor ID". */
const readTscAndId: Operation = (processor, operands) => {
  const value = readTsc(processor, operands);
  processor.general.rcx = BigInt(processor.tscAux >>> 0);
  return value;
};

/** Intel SDM Vol. 2B "RDPID—Read Processor ID". */
const readProcessorId: Operation = ({ tscAux }) => BigInt(tscAux >>> 0);

/** Intel SDM Vol. 2B "RDPMC—Read Performance-Monitoring Counters". There are none, and each number names one that there is not. */
const readPerformanceCounter: Operation = () => {
  throw generalProtection();
};

function requireExtendedStates({ special }: Processor): void {
  if ((special.cr4 & CR4.OSXSAVE) === 0n) throw undefinedOpcode();
}

/** Intel SDM Vol. 2D "XGETBV—Get Value of Extended Control Register". */
const readExtendedControl: Operation = (processor) => {
  requireExtendedStates(processor);
  if (index(processor) !== 0) throw generalProtection();
  return processor.xcr0;
};

/** Intel SDM Vol. 2D "XSETBV—Set Extended Control Register". */
const writeExtendedControl: Operation = (processor) => {
  requireExtendedStates(processor);
  requireSupervisor(processor);
  const value = pairOf(processor);
  const { eax, edx } = processor.cpuid(EXTENDED_STATE_LEAF, 0);
  const supported = (BigInt(edx >>> 0) << 32n) | BigInt(eax >>> 0);
  const isWhole = (value & XCR0_AVX) === 0n || (value & XCR0_SSE) !== 0n;
  if (index(processor) !== 0 || (value & XCR0_X87) === 0n || (value & ~supported) !== 0n || !isWhole)
    throw generalProtection();
  processor.xcr0 = value;
};

/** Intel SDM Vol. 2A "CPUID—CPU Identification". */
const cpuid: Operation = (processor) => {
  const { general } = processor;
  const { eax, ebx, ecx, edx } = processor.cpuid(Number(low32(general.rax)), index(processor));
  general.rax = BigInt(eax >>> 0);
  general.rbx = BigInt(ebx >>> 0);
  general.rcx = BigInt(ecx >>> 0);
  general.rdx = BigInt(edx >>> 0);
};

export const MODEL_SPECIFIC = {
  ...{ readMsr, writeMsr, readTsc, readTscAndId, readProcessorId, readPerformanceCounter },
  ...{ readExtendedControl, writeExtendedControl, cpuid },
} satisfies Partial<Operations>;
