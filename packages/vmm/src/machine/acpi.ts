/** Tells the guest's kernel, by ACPI tables in its memory, where this machine's parts are. */
import { buildAcpiTables } from '@vireo/devices/acpi/tables';
import { intxGsi } from '@vireo/devices/pci/intx';
import type { GuestMemory } from '@vireo/guest-memory';
import { PIT_IOAPIC_PIN } from './gsi-routing.ts';
import * as layout from './layout.ts';
import * as ports from './ports.ts';

/** Writes the tables. @returns where their root pointer is. */
export function writeAcpiTables(memory: GuestMemory, cpus: number, memoryBytes: number): number {
  const { rsdpGpa, blobs } = buildAcpiTables({
    vcpuApicIds: Array.from({ length: cpus }, (_, id) => id),
    tableArea: layout.ACPI_TABLES,
    lapicGpa: layout.LAPIC_GPA,
    ioapic: { gpa: layout.IOAPIC_GPA, id: 0 },
    pitGsi: PIT_IOAPIC_PIN,
    pci: {
      ecam: layout.ECAM,
      mmio32: layout.PCI_MMIO32,
      mmio64: { gpa: layout.pciMmio64Gpa(memoryBytes), sizeBytes: layout.PCI_MMIO64_SIZE_BYTES },
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
