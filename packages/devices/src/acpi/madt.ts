/** The MADT: interrupt controllers and processors (ACPI 6.5 §5.2.12 "Multiple APIC Description Table (MADT)"). */
import * as spec from '@vireo/spec/acpi-tables';
import { type Bytes, joined, u16, u32 } from './bytes.ts';
import type { AcpiLayout } from './layout.ts';
import { systemDescriptionTable } from './sdt.ts';

const ALL_PROCESSORS = 0xff;
const ALL_PROCESSORS_X2APIC = 0xffff_ffff;
const LINT1 = 1;

export function madt(layout: AcpiLayout): Uint8Array {
  const { vcpuApicIds, lapicGpa, ioapic, pitGsi, sciGsi } = layout;
  const structures: Bytes[] = vcpuApicIds.map((apicId, uid) => processor(apicId, uid));
  structures.push(joined([spec.MADT_IO_APIC, 12, ioapic.id, 0], u32(ioapic.gpa), u32(0)));
  if (pitGsi !== 0) structures.push(sourceOverride(0, pitGsi, 0));
  structures.push(sourceOverride(sciGsi, sciGsi, spec.MPS_INTI_ACTIVE_HIGH | spec.MPS_INTI_LEVEL));
  structures.push([spec.MADT_LOCAL_APIC_NMI, 6, ALL_PROCESSORS, 0, 0, LINT1]);
  if (vcpuApicIds.some((apicId) => apicId >= spec.MADT_FIRST_X2APIC_ID)) {
    const uid = u32(ALL_PROCESSORS_X2APIC);
    structures.push(joined([spec.MADT_LOCAL_X2APIC_NMI, 12, 0, 0], uid, [LINT1, 0, 0, 0]));
  }
  const header = joined(u32(lapicGpa), u32(spec.MADT_PCAT_COMPAT)); // there are two 8259s as well
  return systemDescriptionTable('APIC', spec.MADT_REVISION, joined(header, ...structures));
}

function processor(apicId: number, uid: number): Bytes {
  const flags = u32(spec.MADT_LOCAL_APIC_ENABLED);
  // A LAPIC structure has 8 bits for the UID too.
  if (apicId < spec.MADT_FIRST_X2APIC_ID && uid < spec.MADT_FIRST_X2APIC_ID) {
    return joined([spec.MADT_LOCAL_APIC, 8, uid, apicId], flags);
  }
  return joined([spec.MADT_LOCAL_X2APIC, 16, 0, 0], u32(apicId), flags, u32(uid));
}

/** An ISA interrupt that arrives elsewhere, or in another way, than ISA's (§5.2.12.5 "Interrupt Source Override Structure"). */
function sourceOverride(isaIrq: number, gsi: number, flags: number): Bytes {
  const ISA_BUS = 0;
  return joined([spec.MADT_INTERRUPT_SOURCE_OVERRIDE, 10, ISA_BUS, isaIrq], u32(gsi), u16(flags));
}
