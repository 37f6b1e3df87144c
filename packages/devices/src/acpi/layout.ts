/** What the tables tell of: where the machine's parts are. */

export interface AcpiLayout {
  /** APIC ids in the order of the vCPUs; a vCPU's place is its ACPI processor UID. */
  readonly vcpuApicIds: readonly number[];
  /** Guest RAM below 4 GiB for the tables; the RSDP goes to its start. Legacy scans look in 0xE0000 to 0xFFFFF. */
  readonly tableArea: { readonly gpa: number; readonly sizeBytes: number };
  readonly lapicGpa: number;
  readonly ioapic: { readonly gpa: number; readonly id: number };
  /** The GSI, so I/O APIC pin, at which the PIT (ISA IRQ 0) arrives: 2 on a PC. */
  readonly pitGsi: number;
  readonly pci: AcpiPciLayout;
  readonly ports: AcpiPorts;
  readonly sciGsi: number;
  /** Whether the keyboard controller is told of. Its reset line works in any case. */
  readonly i8042: boolean;
}

export interface AcpiPciLayout {
  /** 1 MiB a bus, from `firstBus` on. */
  readonly ecam: { readonly gpa: number; readonly firstBus: number; readonly lastBus: number };
  readonly mmio32: { readonly gpa: number; readonly sizeBytes: number };
  /** Above 4 GiB; absent on a machine without one. */
  readonly mmio64?: { readonly gpa: number; readonly sizeBytes: number };
  /** The GSI of the INTx pin, 0 for INTA#, of a device on bus 0: what `IntxRouting.gsi` answers. */
  readonly intxGsi: (device: number, pin: number) => number;
}

/** I/O ports; a device that is null is not in the machine. */
export interface AcpiPorts {
  /** PM1a event block, then control block. */
  readonly pm1a: number;
  readonly pmTimer: number;
  readonly resetControl: number;
  readonly com1: { readonly port: number; readonly irq: number } | null;
  readonly rtc: { readonly port: number; readonly irq: number };
  readonly pvpanic: number | null;
}

/** The value that RESET_REG takes to reset the machine: RST_CPU with SYS_RST. */
export const RESET_VALUE = 6;
/** SLP_TYP of the S5 soft-off state, in `\_S5` and at `AcpiPower`'s `onSleep`. */
export const SLP_TYP_S5 = 5;
