/**
 * Where everything is in the machine's address spaces. One PC for both accelerators.
 *
 * Guest physical memory: RAM from 0, split around the hole below 4 GiB that holds PCI windows and interrupt controllers.
 */
import type { MemoryMapEntry } from '@vireo/boot';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** RAM below 4 GiB ends here at the latest; the PCI hole begins. */
export const PCI_HOLE_GPA = 3 * GIB;
export const HIGH_RAM_GPA = 4 * GIB;

export const PCI_MMIO32 = { gpa: PCI_HOLE_GPA, sizeBytes: 512 * MIB } as const;
/**
 * 1 MiB for each bus (PCI Express Base Specification §7.2.2 "PCI Express Enhanced Configuration Access Mechanism"). Linux
 * reads all 32 slots of every bus the tables tell of, one exit each: so there are no more than the machine has. The
 * addresses up to 0xEFFFFFFF are kept free for more.
 */
const PCI_BUSES = 1;
export const ECAM = {
  gpa: 0xe0000000,
  sizeBytes: PCI_BUSES * MIB,
  firstBus: 0,
  lastBus: PCI_BUSES - 1,
} as const;
export const IOAPIC_GPA = 0xfec00000;
export const LAPIC_GPA = 0xfee00000;
/** The first address that the smallest physical address width of supported hosts (36 bits) still reaches half-way. */
export const PCI_MMIO64_SIZE_BYTES = 16 * GIB;

/** The legacy area: BIOS data and video memory are not RAM to the guest. */
export const LOW_RAM_END_GPA = 0x9fc00;
export const ACPI_TABLES = { gpa: 0xe0000, sizeBytes: 0x20000 } as const;
const LEGACY_END_GPA = MIB;

export interface RamRange {
  readonly gpa: number;
  readonly sizeBytes: number;
  /** Where in the machine's RAM the range starts. */
  readonly offsetBytes: number;
}

/** RAM of the given size, split around the hole. */
export function ramRanges(memoryBytes: number): RamRange[] {
  const lowBytes = Math.min(memoryBytes, PCI_HOLE_GPA);
  const ranges: RamRange[] = [{ gpa: 0, sizeBytes: lowBytes, offsetBytes: 0 }];
  if (memoryBytes > lowBytes) {
    ranges.push({ gpa: HIGH_RAM_GPA, sizeBytes: memoryBytes - lowBytes, offsetBytes: lowBytes });
  }
  return ranges;
}

/** The first address above all RAM. */
export function ramEndGpa(memoryBytes: number): number {
  return HIGH_RAM_GPA + Math.max(0, memoryBytes - PCI_HOLE_GPA);
}

/** Where the 64-bit PCI window starts: above all RAM, at a multiple of its size. */
export function pciMmio64Gpa(memoryBytes: number): number {
  return Math.ceil(ramEndGpa(memoryBytes) / PCI_MMIO64_SIZE_BYTES) * PCI_MMIO64_SIZE_BYTES;
}

/** The 64-bit PCI window, unless the processor's addresses end before it does. */
export function pciMmio64(
  memoryBytes: number,
  addressBits: number,
): { readonly gpa: number; readonly sizeBytes: number } | undefined {
  const gpa = pciMmio64Gpa(memoryBytes);
  return gpa + PCI_MMIO64_SIZE_BYTES <= 2 ** addressBits
    ? { gpa, sizeBytes: PCI_MMIO64_SIZE_BYTES }
    : undefined;
}

/** What firmware would report of the address map, in order (ACPI 6.5 §15 "System Address Map Interfaces"). */
export function memoryMap(memoryBytes: number): MemoryMapEntry[] {
  const map: MemoryMapEntry[] = [
    { gpa: 0, sizeBytes: LOW_RAM_END_GPA, kind: 'ram' },
    { gpa: LOW_RAM_END_GPA, sizeBytes: LEGACY_END_GPA - LOW_RAM_END_GPA, kind: 'reserved' },
    { gpa: ECAM.gpa, sizeBytes: ECAM.sizeBytes, kind: 'reserved' },
  ];
  for (const { gpa, sizeBytes } of ramRanges(memoryBytes)) {
    const start = Math.max(gpa, LEGACY_END_GPA);
    if (gpa + sizeBytes > start) map.push({ gpa: start, sizeBytes: gpa + sizeBytes - start, kind: 'ram' });
  }
  return map.sort((a, b) => a.gpa - b.gpa);
}
