/** The bases of FS and GS, which 64-bit mode keeps of segmentation (Intel SDM Vol. 3A §3.4.4 "Segment Loading Instructions in IA-32e Mode"). */
import { CR4 } from './cr4-bits.ts';
import { generalProtection, undefinedOpcode } from './guest-fault.ts';
import { requireSupervisor } from './privilege-checks.ts';
import { is64BitMode, isCanonical, type Processor } from './processor.ts';
import type { Operation, Operations } from './system-processor.ts';

const KERNEL_GS_BASE = 0xc000_0102;

const nameOf = (number: bigint): 'fs' | 'gs' => (number === 0n ? 'fs' : 'gs');

function requireBaseAccess(processor: Processor): void {
  if (!is64BitMode(processor) || (processor.special.cr4 & CR4.FSGSBASE) === 0n) throw undefinedOpcode();
}

/** Intel SDM Vol. 2B "RDFSBASE/RDGSBASE—Read FS/GS Segment Base". */
const readSegmentBase: Operation = (processor, { a }) => {
  requireBaseAccess(processor);
  return processor.special[nameOf(a)].base;
};

/** Intel SDM Vol. 2D "WRFSBASE/WRGSBASE—Write FS/GS Segment Base". */
const writeSegmentBase: Operation = (processor, { a, b }) => {
  requireBaseAccess(processor);
  if (!isCanonical(b)) throw generalProtection();
  const { special } = processor;
  special[nameOf(a)] = { ...special[nameOf(a)], base: b };
};

/** Intel SDM Vol. 2B "SWAPGS—Swap GS Base Register". */
const swapGs: Operation = (processor) => {
  if (!is64BitMode(processor)) throw undefinedOpcode();
  requireSupervisor(processor);
  const { special } = processor;
  const { base } = special.gs;
  special.gs = { ...special.gs, base: processor.msr(KERNEL_GS_BASE) };
  processor.setMsr(KERNEL_GS_BASE, base);
};

export const SEGMENT_BASES = { readSegmentBase, writeSegmentBase, swapGs } satisfies Partial<Operations>;
