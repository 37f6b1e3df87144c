/**
 * A function with a type 1 header: a PCI-to-PCI bridge or root port, with the bus behind it (PCI Express Base 5.0
 * §7.5.1.3 "Type 1 Configuration Space Header"). Its windows are registers only: BARs behind it are mapped as those
 * on bus 0 are.
 */
import * as pci from '@vireo/spec/pci';
import { ConfigSpace, type ConfigSpaceState } from './config-space.ts';
import { defineHeader, type PciIds } from './endpoint.ts';
import { PciBus } from './pci-bus.ts';
import type { PciFunction } from './pci-function.ts';

const IO_32_BIT = 0x01;
const PREFETCHABLE_64_BIT = 0x01;

export class PciBridge implements PciFunction {
  readonly name: string;
  readonly config = new ConfigSpace();
  readonly secondary = new PciBus();

  constructor(name: string, ids: Omit<PciIds, 'classCode'>) {
    this.name = name;
    const { config } = this;
    defineHeader(config, { ...ids, classCode: pci.PCI_CLASS_BRIDGE_PCI }, pci.PCI_HEADER_TYPE_BRIDGE);
    const busNumbers = [pci.PCI_PRIMARY_BUS, pci.PCI_SECONDARY_BUS, pci.PCI_SUBORDINATE_BUS];
    for (const offset of busNumbers) config.define(offset, 1, 0, { writable: 0xff });
    // Base and limit of each window, side by side.
    config.define(pci.PCI_IO_BASE, 2, IO_32_BIT * 0x0101, { writable: 0xf0f0 });
    config.define(pci.PCI_SECONDARY_STATUS, 2, 0, { clearable: pci.PCI_STATUS_ERRORS });
    config.define(pci.PCI_MEMORY_BASE, 4, 0, { writable: 0xfff0_fff0 });
    config.define(pci.PCI_PREFETCHABLE_BASE, 4, PREFETCHABLE_64_BIT * 0x0001_0001, { writable: 0xfff0_fff0 });
    for (const offset of [
      pci.PCI_PREFETCHABLE_BASE_UPPER,
      pci.PCI_PREFETCHABLE_LIMIT_UPPER,
      pci.PCI_IO_BASE_UPPER,
    ]) {
      config.define(offset, 4, 0, { writable: 0xffff_ffff });
    }
    config.define(pci.PCI_BRIDGE_CONTROL, 2, 0, { writable: 0x005f });
  }

  /** Whether configuration requests for this bus go through the bridge. */
  forwards(busNumber: number): boolean {
    const secondary = this.secondaryBus;
    // Until it is programmed, the secondary bus number is 0: bus 0 is never behind a bridge.
    return (
      secondary !== 0 && busNumber >= secondary && busNumber <= this.config.read(pci.PCI_SUBORDINATE_BUS, 1)
    );
  }

  get secondaryBus(): number {
    return this.config.read(pci.PCI_SECONDARY_BUS, 1);
  }

  configRead(offset: number, sizeBytes: number): number {
    return this.config.read(offset, sizeBytes);
  }

  configWrite(offset: number, sizeBytes: number, value: number): void {
    this.config.write(offset, sizeBytes, value);
  }

  reset(): void {
    this.config.reset();
    this.secondary.reset();
  }

  save(): ConfigSpaceState {
    return this.config.save();
  }

  /** @throws SavedStateError */
  restore(state: ConfigSpaceState): void {
    this.config.restore(state);
  }
}
