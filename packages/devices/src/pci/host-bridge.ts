/**
 * The root complex: bus 0 with the host bridge at 00:00.0, and the two ways to configuration space (PCI Express Base
 * 5.0 §7.2 "PCI Express Configuration Mechanisms"). Functions that are not there read as all ones.
 */
import {
  PCI_CLASS_BRIDGE_HOST,
  PCI_CONFIG_SPACE_SIZE_BYTES,
  PCI_DEVICE_ID_REDHAT_PCIE_HOST,
  PCI_VENDOR_ID_REDHAT,
} from '@vireo/spec/pci';
import { allOnes } from '../io-device.ts';
import { PciBridge } from './bridge.ts';
import { PciEndpoint } from './endpoint.ts';
import { PciBus } from './pci-bus.ts';

const ROOT_BUS = 0;

export class PciHostBridge {
  readonly bus = new PciBus();

  constructor() {
    const ids = {
      vendorId: PCI_VENDOR_ID_REDHAT,
      deviceId: PCI_DEVICE_ID_REDHAT_PCIE_HOST,
      classCode: PCI_CLASS_BRIDGE_HOST,
    };
    this.bus.attach(0, 0, new PciEndpoint({ name: 'PCIe host bridge', ids }));
  }

  /** Any offset and size; what crosses a 32-bit register is cut into bytes (§7.2.2: software must not do that). */
  configRead(busNumber: number, devfn: number, offset: number, sizeBytes: number): number {
    const fn = this.#find(busNumber)?.at(devfn);
    if (fn === undefined || offset >= PCI_CONFIG_SPACE_SIZE_BYTES) return allOnes(sizeBytes);
    if ((offset & 3) + sizeBytes <= 4) return fn.configRead(offset, sizeBytes);
    let value = 0;
    for (let i = 0; i < sizeBytes; i++) {
      value += this.configRead(busNumber, devfn, offset + i, 1) * 2 ** (8 * i);
    }
    return value;
  }

  configWrite(busNumber: number, devfn: number, offset: number, sizeBytes: number, value: number): void {
    const fn = this.#find(busNumber)?.at(devfn);
    if (fn === undefined || offset >= PCI_CONFIG_SPACE_SIZE_BYTES) return;
    if ((offset & 3) + sizeBytes <= 4) {
      fn.configWrite(offset, sizeBytes, value);
      return;
    }
    for (let i = 0; i < sizeBytes; i++) {
      this.configWrite(busNumber, devfn, offset + i, 1, (value >>> (8 * i)) & 0xff);
    }
  }

  reset(): void {
    this.bus.reset();
  }

  /** The bus of that number: bus 0, or one behind bridges, as the guest has numbered them. */
  #find(busNumber: number): PciBus | undefined {
    if (busNumber === ROOT_BUS) return this.bus;
    let bus = this.bus;
    // A guest can number buses in a circle of nonsense; a bus is only ever found below the one before.
    for (;;) {
      const bridge = bus.functions.find(
        (fn): fn is PciBridge => fn instanceof PciBridge && fn.forwards(busNumber),
      );
      if (bridge === undefined) return undefined;
      if (bridge.secondaryBus === busNumber) return bridge.secondary;
      bus = bridge.secondary;
    }
  }
}
