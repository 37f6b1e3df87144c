/** Where interrupt lines lead: ISA lines to both kinds of controller, the others to the I/O APIC, as on a PC. */
import type { GsiRoute } from '@vireo/hypervisor';

const ISA_LINES = 16;
const IOAPIC_PINS = 24;
/** The slave PIC's line: no device's. */
const CASCADE = 2;
/** The PIT's line is on this pin of the I/O APIC; the MADT says so (ACPI 6.5 §5.2.12.5 "Interrupt Source Override Structure"). */
export const PIT_IOAPIC_PIN = 2;

export function pcGsiRoutes(): GsiRoute[] {
  const routes: GsiRoute[] = [];
  for (let gsi = 0; gsi < ISA_LINES; gsi++) {
    if (gsi === CASCADE) continue;
    const chip = gsi < 8 ? 'pic-master' : 'pic-slave';
    routes.push({ kind: 'irqchip', gsi, chip, pin: gsi % 8 });
    routes.push({ kind: 'irqchip', gsi, chip: 'ioapic', pin: gsi === 0 ? PIT_IOAPIC_PIN : gsi });
  }
  for (let gsi = ISA_LINES; gsi < IOAPIC_PINS; gsi++) {
    routes.push({ kind: 'irqchip', gsi, chip: 'ioapic', pin: gsi });
  }
  return routes;
}
