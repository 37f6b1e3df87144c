/** The tables that lead to the others: RSDP and XSDT; and two small ones: FACS and MCFG. */
import { FACS_LENGTH_BYTES, FACS_VERSION } from '@vireo/spec/acpi-tables';
import { ascii, joined, padded, u16, u32, u64 } from './bytes.ts';
import type { AcpiPciLayout } from './layout.ts';
import { checksum, OEM_ID, systemDescriptionTable } from './sdt.ts';

export const RSDP_LENGTH_BYTES = 36;
/** What ACPI 1.0 knew of the structure has a checksum of its own. */
const RSDP_V1_LENGTH_BYTES = 20;

/** ACPI 6.5 §5.2.5.3 "Root System Description Pointer (RSDP) Structure". */
export function rsdp(xsdtGpa: number): Uint8Array {
  const table = Uint8Array.from(
    joined(
      ascii('RSD PTR '),
      [0], // checksum
      OEM_ID,
      [2], // revision
      u32(0), // no RSDT: all that run here know the XSDT
      u32(RSDP_LENGTH_BYTES),
      u64(xsdtGpa),
      [0, 0, 0, 0], // extended checksum, reserved
    ),
  );
  table[8] = checksum(table.subarray(0, RSDP_V1_LENGTH_BYTES));
  table[32] = checksum(table);
  return table;
}

/** ACPI 6.5 §5.2.8 "Extended System Description Table (XSDT)". */
export function xsdt(tableGpas: readonly number[]): Uint8Array {
  return systemDescriptionTable('XSDT', 1, joined(...tableGpas.map(u64)));
}

/** ACPI 6.5 §5.2.10 "Firmware ACPI Control Structure (FACS)": no waking vector yet, the global lock is free. */
export function facs(): Uint8Array {
  const beforeVersion = padded(joined(ascii('FACS'), u32(FACS_LENGTH_BYTES)), 32);
  return Uint8Array.from(padded(joined(beforeVersion, [FACS_VERSION]), FACS_LENGTH_BYTES));
}

/** PCI Firmware 3.2 §4.1.2 "MCFG Table Description": one segment group. */
export function mcfg({ ecam }: AcpiPciLayout): Uint8Array {
  const allocation = joined(u64(ecam.gpa), u16(0), [ecam.firstBus, ecam.lastBus], u32(0));
  return systemDescriptionTable('MCFG', 1, joined(u64(0), allocation));
}
