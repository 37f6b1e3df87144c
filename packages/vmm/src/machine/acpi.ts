/** Tells the guest's kernel, by ACPI tables in its memory, where this machine's parts are. */
import { buildAcpiTables } from '@vireo/devices/acpi/tables';
import { intxGsi } from '@vireo/devices/pci/intx';
import type { GuestMemory } from '@vireo/guest-memory';
import { PIT_IOAPIC_PIN } from './gsi-routing.ts';
import * as layout from './layout.ts';
import * as ports from './ports.ts';

export interface AcpiTablesOptions {
  readonly cpus: number;
  readonly memoryBytes: number;
  /** The width of guest physical addresses. */
  readonly addressBits: number;
}

/** Writes the tables. @returns where their root pointer is. */
export function writeAcpiTables(
  memory: GuestMemory,
  { cpus, memoryBytes, addressBits }: AcpiTablesOptions,
): number {
  const mmio64 = layout.pciMmio64(memoryBytes, addressBits);
  const { rsdpGpa, blobs } = buildAcpiTables({
    vcpuApicIds: Array.from({ length: cpus }, (_, id) => id),
    tableArea: layout.ACPI_TABLES,
    lapicGpa: layout.LAPIC_GPA,
    ioapic: { gpa: layout.IOAPIC_GPA, id: 0 },
    pitGsi: PIT_IOAPIC_PIN,
    pci: {
      ecam: layout.ECAM,
      mmio32: layout.PCI_MMIO32,
      ...(mmio64 && { mmio64 }),
      intxGsi,
    },
    ports: {
      pm1a: ports.ACPI_POWER_PORT,
      pmTimer: ports.ACPI_PM_TIMER_PORT,
      resetControl: ports.RESET_PORT,
      com1: { port: ports.COM1_PORT, irq: ports.COM1_GSI },
      rtc: { port: ports.RTC_PORT, irq: ports.RTC_GSI },
      pvpanic: ports.PVPANIC_PORT,
    },
    sciGsi: ports.SCI_GSI,
    i8042: false,
  });
  for (const { gpa, bytes } of blobs) memory.write(gpa, bytes);
  return rsdpGpa;
}
