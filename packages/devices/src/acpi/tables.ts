/** Lays out the ACPI tables in guest memory (ACPI 6.5 §5.2 "ACPI System Description Tables"). */
import { dsdtTerms } from './dsdt.ts';
import { fadt } from './fadt.ts';
import type { AcpiLayout } from './layout.ts';
import { madt } from './madt.ts';
import { facs, mcfg, RSDP_LENGTH_BYTES, rsdp, xsdt } from './root-tables.ts';
import { systemDescriptionTable } from './sdt.ts';

/** From 2 on, AML integers have 64 bits. */
const DSDT_REVISION = 2;
/** The FACS's, and enough for all others. */
const TABLE_ALIGNMENT_BYTES = 64;

export interface AcpiTable {
  readonly signature: string;
  readonly gpa: number;
  readonly bytes: Uint8Array;
}

export interface AcpiTables {
  /** 16-byte aligned. */
  readonly rsdpGpa: number;
  /** In order of their addresses, inside the table area. */
  readonly blobs: readonly AcpiTable[];
}

/** @throws RangeError when the tables do not fit in their area. */
export function buildAcpiTables(layout: AcpiLayout): AcpiTables {
  const { gpa: areaGpa, sizeBytes } = layout.tableArea;
  const blobs: AcpiTable[] = [];
  let nextGpa = alignUp(areaGpa + RSDP_LENGTH_BYTES);
  const place = (signature: string, bytes: Uint8Array): number => {
    const gpa = nextGpa;
    blobs.push({ signature, gpa, bytes });
    nextGpa = alignUp(gpa + bytes.length);
    return gpa;
  };
  const facsGpa = place('FACS', facs());
  const dsdtGpa = place('DSDT', systemDescriptionTable('DSDT', DSDT_REVISION, dsdtTerms(layout)));
  const xsdtGpa = place(
    'XSDT',
    xsdt([
      place('FACP', fadt(layout, facsGpa, dsdtGpa)),
      place('APIC', madt(layout)),
      place('MCFG', mcfg(layout.pci)),
    ]),
  );
  blobs.unshift({ signature: 'RSD PTR ', gpa: areaGpa, bytes: rsdp(xsdtGpa) });
  const last = blobs.at(-1)!;
  const needed = last.gpa + last.bytes.length - areaGpa;
  if (needed > sizeBytes) throw new RangeError(`the ACPI tables need ${needed} bytes and have ${sizeBytes}`);
  if (areaGpa % 16 !== 0) throw new RangeError('the RSDP must be 16-byte aligned');
  return { rsdpGpa: areaGpa, blobs };
}

function alignUp(gpa: number): number {
  return Math.ceil(gpa / TABLE_ALIGNMENT_BYTES) * TABLE_ALIGNMENT_BYTES;
}
