/**
 * The DSDT: the devices that cannot be found by probing, and how to power off (ACPI 6.5 §5.2.11.1 "Differentiated
 * System Description Table (DSDT)"). The power button is fixed hardware, so it is not here.
 */
import * as aml from './aml.ts';
import { joined } from './bytes.ts';
import type { AcpiLayout, AcpiPciLayout } from './layout.ts';
import { SLP_TYP_S5 } from './layout.ts';
import * as resource from './resource-template.ts';

const PCI_DEVICES_PER_BUS = 32;
const PCI_PINS = 4;
const ECAM_BUS_SIZE_BYTES = 2 ** 20;
/** The ports of configuration mechanism #1, which no window covers. */
const PCI_CONFIG_PORTS = { first: 0xcf8, last: 0xcff };

export function dsdtTerms(layout: AcpiLayout): aml.Aml {
  return joined(
    aml.scope(
      '\\_SB',
      ...layout.vcpuApicIds.map((_, uid) => processor(uid)),
      pciHostBridge(layout.pci),
      motherboardResources(layout),
      ...legacyDevices(layout),
    ),
    aml.name('\\_S5', packageOfSleepType(SLP_TYP_S5)),
  );
}

/** PM1a and PM1b SLP_TYP, and two reserved elements (§7.4.2 "\_Sx (System States)"). */
function packageOfSleepType(type: number): aml.Aml {
  return aml.packageOf(aml.integer(type), aml.integer(type), aml.integer(0), aml.integer(0));
}

/** §8.4.1 "Processor Devices"; `uid` is in the MADT too. */
function processor(uid: number): aml.Aml {
  const path = `C${uid.toString(16).toUpperCase().padStart(3, '0')}`;
  return aml.device(path, aml.name('_HID', aml.string('ACPI0007')), aml.name('_UID', aml.integer(uid)));
}

function pciHostBridge(pci: AcpiPciLayout): aml.Aml {
  return aml.device(
    'PCI0',
    aml.name('_HID', aml.eisaId('PNP0A08')), // PCI Express
    aml.name('_CID', aml.eisaId('PNP0A03')), // PCI
    aml.name('_UID', aml.integer(0)),
    aml.name('_SEG', aml.integer(0)),
    aml.name('_BBN', aml.integer(pci.ecam.firstBus)),
    aml.name('_CRS', hostBridgeResources(pci)),
    aml.name('_PRT', interruptRouting(pci)),
    oscMethod(),
  );
}

function hostBridgeResources({ ecam, mmio32, mmio64 }: AcpiPciLayout): aml.Aml {
  const range = ({ gpa, sizeBytes }: { gpa: number; sizeBytes: number }) => ({
    first: gpa,
    last: gpa + sizeBytes - 1,
  });
  return resource.resourceTemplate(
    resource.busNumbers({ first: ecam.firstBus, last: ecam.lastBus }),
    resource.ioPorts(PCI_CONFIG_PORTS.first, PCI_CONFIG_PORTS.last - PCI_CONFIG_PORTS.first + 1),
    resource.ioWindow({ first: 0, last: PCI_CONFIG_PORTS.first - 1 }),
    resource.ioWindow({ first: PCI_CONFIG_PORTS.last + 1, last: 0xffff }),
    resource.memoryWindow32(range(mmio32)),
    ...(mmio64 ? [resource.memoryWindow64(range(mmio64))] : []),
  );
}

/** Every pin of every device has a fixed GSI (§6.2.13 "_PRT (PCI Routing Table)"). */
function interruptRouting({ intxGsi }: AcpiPciLayout): aml.Aml {
  const entries: aml.Aml[] = [];
  for (let device = 0; device < PCI_DEVICES_PER_BUS; device++) {
    for (let pin = 0; pin < PCI_PINS; pin++) {
      const address = device * 0x10000 + 0xffff; // all functions
      const gsi = intxGsi(device, pin);
      entries.push(aml.packageOf(aml.integer(address), aml.integer(pin), aml.integer(0), aml.integer(gsi)));
    }
  }
  return aml.packageOf(...entries);
}

/**
 * Lets the operating system control hot plug, PME, AER and the PCIe capability structures itself (§6.2.11.3 "OSC
 * Implementation Example for PCI Host Bridge Devices"; PCI Firmware 3.2 §4.5.1 "_OSC Interface for PCI Host Bridge
 * Devices").
 */
function oscMethod(): aml.Aml {
  const UNRECOGNIZED_UUID = 1 << 2;
  const UNRECOGNIZED_REVISION = 1 << 3;
  const CAPABILITIES_MASKED = 1 << 4;
  const GRANTED_CONTROLS = 0x1f;
  const status = aml.namePath('CDW1');
  const control = aml.namePath('CDW3');
  const fail = (bit: number) => aml.or(status, aml.integer(bit), status);
  return aml.method(
    '_OSC',
    4,
    aml.createDwordField(aml.argument(3), 0, 'CDW1'),
    aml.ifThen(
      aml.equal(aml.argument(0), aml.uuid('33DB4D5B-1FF7-401C-9657-7441C03DD766')),
      aml.createDwordField(aml.argument(3), 8, 'CDW3'),
      aml.and(control, aml.integer(GRANTED_CONTROLS), aml.local(0)),
      aml.ifThen(aml.notEqual(aml.argument(1), aml.integer(1)), fail(UNRECOGNIZED_REVISION)),
      aml.ifThen(aml.notEqual(control, aml.local(0)), fail(CAPABILITIES_MASKED)),
      aml.store(aml.local(0), control),
    ),
    aml.elseThen(fail(UNRECOGNIZED_UUID)),
    aml.returnValue(aml.argument(3)),
  );
}

/**
 * Ranges that are taken: ECAM above all, which operating systems use only where it is reserved so (PCI Firmware 3.2
 * §4.1.2 "MCFG Table Description").
 */
function motherboardResources({ pci, ports }: AcpiLayout): aml.Aml {
  const { ecam } = pci;
  const ecamSizeBytes = (ecam.lastBus - ecam.firstBus + 1) * ECAM_BUS_SIZE_BYTES;
  const ecamGpa = ecam.gpa + ecam.firstBus * ECAM_BUS_SIZE_BYTES;
  return aml.device(
    'MBRD',
    aml.name('_HID', aml.eisaId('PNP0C02')),
    aml.name('_UID', aml.integer(0)),
    aml.name(
      '_CRS',
      resource.resourceTemplate(
        resource.memory32Fixed(ecamGpa, ecamSizeBytes),
        resource.ioPorts(ports.pm1a, 6),
        resource.ioPorts(ports.pmTimer, 4),
      ),
    ),
  );
}

function legacyDevices({ ports, i8042 }: AcpiLayout): aml.Aml[] {
  const devices: aml.Aml[] = [];
  const add = (path: string, hid: aml.Aml, ...resources: Parameters<typeof resource.resourceTemplate>) => {
    const crs = resource.resourceTemplate(...resources);
    devices.push(
      aml.device(path, aml.name('_HID', hid), aml.name('_UID', aml.integer(0)), aml.name('_CRS', crs)),
    );
  };
  const { com1, rtc, pvpanic } = ports;
  if (com1) {
    add('COM1', aml.eisaId('PNP0501'), resource.ioPorts(com1.port, 8), resource.irqNoFlags(com1.irq));
  }
  add('RTC', aml.eisaId('PNP0B00'), resource.ioPorts(rtc.port, 2), resource.irqNoFlags(rtc.irq));
  if (i8042) {
    const data = resource.ioPorts(0x60, 1);
    add('KBD', aml.eisaId('PNP0303'), data, resource.ioPorts(0x64, 1), resource.irqNoFlags(1));
  }
  if (pvpanic !== null) add('PEVT', aml.string('QEMU0001'), resource.ioPorts(pvpanic, 1));
  return devices;
}
