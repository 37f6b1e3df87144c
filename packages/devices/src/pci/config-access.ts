/** The two windows on configuration space: ECAM in memory, and configuration mechanism #1 at ports 0xCF8 to 0xCFF. */
import { PCI_CONFIG_ADDRESS_ENABLE } from '@vireo/spec/pci';
import { allOnes, type IoDevice } from '../io-device.ts';
import { SavedStateReader } from '../saved-state.ts';
import type { PciHostBridge } from './host-bridge.ts';

/** 4 KiB a function, 1 MiB a bus (PCI Express Base 5.0 §7.2.2 "PCI Express Enhanced Configuration Access Mechanism"). */
export class PciEcam implements IoDevice {
  static readonly busSizeBytes = 2 ** 20;
  readonly name = 'PCIe ECAM';
  readonly #bridge: PciHostBridge;

  /** The window starts at bus 0. */
  constructor(bridge: PciHostBridge) {
    this.#bridge = bridge;
  }

  read(offset: number, sizeBytes: number): number {
    return this.#bridge.configRead(offset >>> 20, (offset >>> 12) & 0xff, offset & 0xfff, sizeBytes);
  }

  write(offset: number, sizeBytes: number, value: number): void {
    this.#bridge.configWrite(offset >>> 20, (offset >>> 12) & 0xff, offset & 0xfff, sizeBytes, value);
  }
}

export interface PciConfigPortsState {
  version: 1;
  address: number;
}

const ADDRESS_OFFSET = 0;
const RESET_CONTROL_OFFSET = 1;
const DATA_OFFSET = 4;
/** Enable, bus, device, function, and a register's number without its two lowest bits. */
const ADDRESS_BITS = 0x80ff_fffc;

/**
 * CONFIG_ADDRESS and CONFIG_DATA (PCI Local Bus 3.0 §3.2.2.3.2 "Software Generation of Configuration Transactions").
 * Only 32-bit accesses reach CONFIG_ADDRESS; a byte at 0xCF9 is the reset control register.
 */
export class PciConfigPorts implements IoDevice {
  static readonly lengthBytes = 8;
  readonly name = 'PCI configuration ports';
  readonly #bridge: PciHostBridge;
  readonly #resetControl: IoDevice;
  #address = 0;

  constructor(bridge: PciHostBridge, resetControl: IoDevice) {
    this.#bridge = bridge;
    this.#resetControl = resetControl;
  }

  reset(): void {
    this.#address = 0;
  }

  read(offset: number, sizeBytes: number): number {
    if (offset === ADDRESS_OFFSET && sizeBytes === 4) return this.#address;
    if (offset === RESET_CONTROL_OFFSET && sizeBytes === 1) return this.#resetControl.read(0, 1);
    if (offset < DATA_OFFSET || !this.#enabled()) return allOnes(sizeBytes);
    return this.#bridge.configRead(this.#bus(), this.#devfn(), this.#register(offset), sizeBytes);
  }

  write(offset: number, sizeBytes: number, value: number): void {
    if (offset === ADDRESS_OFFSET && sizeBytes === 4) this.#address = (value & ADDRESS_BITS) >>> 0;
    else if (offset === RESET_CONTROL_OFFSET && sizeBytes === 1) this.#resetControl.write(0, 1, value);
    else if (offset >= DATA_OFFSET && this.#enabled()) {
      this.#bridge.configWrite(this.#bus(), this.#devfn(), this.#register(offset), sizeBytes, value);
    }
  }

  save(): PciConfigPortsState {
    return { version: 1, address: this.#address };
  }

  /** @throws SavedStateError */
  restore(state: PciConfigPortsState): void {
    const reader = new SavedStateReader(this.name, state, 1);
    this.#address = (reader.uint('address', 0xffff_ffff) & ADDRESS_BITS) >>> 0;
  }

  #enabled(): boolean {
    return this.#address >= PCI_CONFIG_ADDRESS_ENABLE;
  }

  #bus(): number {
    return (this.#address >>> 16) & 0xff;
  }

  #devfn(): number {
    return (this.#address >>> 8) & 0xff;
  }

  #register(offset: number): number {
    return (this.#address & 0xfc) + (offset - DATA_OFFSET);
  }
}
