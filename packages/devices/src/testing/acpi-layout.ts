/** A machine for tests of the tables. */
import type { AcpiLayout } from '../acpi/layout.ts';

export function exampleLayout(changes: Partial<AcpiLayout> = {}): AcpiLayout {
  return {
    vcpuApicIds: [0, 1, 2, 3],
    tableArea: { gpa: 0xe0000, sizeBytes: 0x20000 },
    lapicGpa: 0xfee0_0000,
    ioapic: { gpa: 0xfec0_0000, id: 0 },
    pitGsi: 2,
    pci: {
      ecam: { gpa: 0xe000_0000, firstBus: 0, lastBus: 255 },
      mmio32: { gpa: 0xc000_0000, sizeBytes: 0x2000_0000 },
      mmio64: { gpa: 0x4_0000_0000, sizeBytes: 0x4_0000_0000 },
      intxGsi: (device, pin) => 16 + ((device + pin) % 8),
    },
    ports: {
      pm1a: 0x600,
      pmTimer: 0x608,
      resetControl: 0xcf9,
      com1: { port: 0x3f8, irq: 4 },
      rtc: { port: 0x70, irq: 8 },
      pvpanic: 0x505,
    },
    sciGsi: 9,
    i8042: true,
    ...changes,
  };
}
