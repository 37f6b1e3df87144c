/**
 * A function with a type 0 header: identification, BARs, a capability list, an INTx pin (PCI Express Base 5.0 §7.5.1
 * "PCI-Compatible Configuration Registers"). Devices are made of it; what their BARs hold is their own.
 */
import * as pci from '@vireo/spec/pci';
import type { InterruptLine, IoDevice } from '../io-device.ts';
import type { BarMapper, BarMapping } from './bar-mapper.ts';
import { ConfigSpace, type ConfigSpaceState } from './config-space.ts';
import type { PciFunction } from './pci-function.ts';

export interface PciIds {
  readonly vendorId: number;
  readonly deviceId: number;
  /** 24 bits: base class, sub-class, programming interface. */
  readonly classCode: number;
  readonly revisionId?: number;
  readonly subsystemVendorId?: number;
  readonly subsystemId?: number;
}

/** A base address register; one of 64 bits takes the next index too. */
export interface BarSpec {
  readonly index: number;
  readonly kind: 'memory32' | 'memory64' | 'io';
  /** A power of two; at least 16 bytes of memory, 4 to 256 of ports. */
  readonly sizeBytes: number;
  readonly prefetchable?: boolean;
  readonly device: IoDevice;
}

export interface PciEndpointOptions {
  readonly name: string;
  readonly ids: PciIds;
  readonly bars?: readonly BarSpec[];
  /** Where `bars` go; needed when there are any. */
  readonly mapper?: BarMapper;
  /** The INTx pin, 0 for INTA#, and the line it is routed to. */
  readonly intx?: { readonly pin: number; readonly line: InterruptLine };
  readonly multiFunction?: boolean;
}

interface Bar extends BarSpec {
  readonly mapping: BarMapping;
}

const COMMAND_BITS =
  pci.PCI_COMMAND_IO |
  pci.PCI_COMMAND_MEMORY |
  pci.PCI_COMMAND_MASTER |
  pci.PCI_COMMAND_PARITY |
  pci.PCI_COMMAND_SERR |
  pci.PCI_COMMAND_INTX_DISABLE;
const DWORD = 2 ** 32;

export class PciEndpoint implements PciFunction {
  readonly name: string;
  readonly config = new ConfigSpace();
  readonly #bars: readonly Bar[];
  readonly #mapper: BarMapper | undefined;
  readonly #intx: InterruptLine | undefined;
  #intxAsserted = false;
  #nextCapability = pci.PCI_FIRST_CAPABILITY;
  #lastCapabilityPointer = pci.PCI_CAPABILITY_POINTER;
  readonly #writeListeners: (() => void)[] = [];

  constructor(options: PciEndpointOptions) {
    this.name = options.name;
    this.#mapper = options.mapper;
    this.#intx = options.intx?.line;
    const headerType = options.multiFunction ? pci.PCI_HEADER_MULTI_FUNCTION : 0;
    defineHeader(this.config, options.ids, headerType | pci.PCI_HEADER_TYPE_NORMAL);
    this.config.define(pci.PCI_SUBSYSTEM_VENDOR_ID, 2, options.ids.subsystemVendorId ?? 0);
    this.config.define(pci.PCI_SUBSYSTEM_ID, 2, options.ids.subsystemId ?? 0);
    if (options.intx) this.config.define(pci.PCI_INTERRUPT_PIN, 1, options.intx.pin + 1);
    this.#bars = (options.bars ?? []).map((bar) => this.#defineBar(bar));
  }

  /** Whether the device may read and write guest memory and send MSIs. */
  get busMaster(): boolean {
    return (this.#command() & pci.PCI_COMMAND_MASTER) !== 0;
  }

  /**
   * Appends a capability (§7.5.3.1 and following): id and next pointer come before `body`. @returns its offset.
   * `writable` has the bits of `body` that software writes. `onConfigWrite` is called after every write to the
   * function's configuration space.
   */
  addCapability(id: number, body: Uint8Array, writable: Uint8Array, onConfigWrite?: () => void): number {
    const offset = this.#nextCapability;
    this.#nextCapability = Math.ceil((offset + 2 + body.length) / 4) * 4;
    if (this.#nextCapability > 0x100) throw new RangeError(`${this.name}: no room for capability ${id}`);
    this.config.define(offset, 1, id);
    for (const [i, byte] of body.entries()) {
      this.config.define(offset + 2 + i, 1, byte, { writable: writable[i] ?? 0 });
    }
    this.config.define(this.#lastCapabilityPointer, 1, offset);
    this.config.define(pci.PCI_STATUS, 2, pci.PCI_STATUS_CAP_LIST, { clearable: pci.PCI_STATUS_ERRORS });
    this.#lastCapabilityPointer = offset + 1;
    if (onConfigWrite) this.#writeListeners.push(onConfigWrite);
    return offset;
  }

  /** Asserts or deasserts the INTx pin; software may have disabled it (§7.5.1.1.3 "Command Register"). */
  setIntx(asserted: boolean): void {
    this.#intxAsserted = asserted;
    this.#updateIntx();
  }

  configRead(offset: number, sizeBytes: number): number {
    return this.config.read(offset, sizeBytes);
  }

  configWrite(offset: number, sizeBytes: number, value: number): void {
    this.config.write(offset, sizeBytes, value);
    this.#configChanged();
  }

  reset(): void {
    this.#intxAsserted = false;
    this.config.reset();
    this.#configChanged();
  }

  save(): ConfigSpaceState {
    return this.config.save();
  }

  /** The device then asserts its INTx pin again, if it did. @throws SavedStateError */
  restore(state: ConfigSpaceState): void {
    this.config.restore(state);
    this.#configChanged();
  }

  #command(): number {
    return this.config.read(pci.PCI_COMMAND, 2);
  }

  #configChanged(): void {
    for (const bar of this.#bars) this.#mapper!.move(bar.mapping, this.#decodedAddress(bar));
    this.#updateIntx();
    for (const listener of this.#writeListeners) listener();
  }

  #updateIntx(): void {
    const status = this.#intxAsserted ? pci.PCI_STATUS_INTERRUPT : 0;
    this.config.update(pci.PCI_STATUS, 2, pci.PCI_STATUS_INTERRUPT, status);
    const disabled = (this.#command() & pci.PCI_COMMAND_INTX_DISABLE) !== 0;
    this.#intx?.set(this.#intxAsserted && !disabled);
  }

  #defineBar(spec: BarSpec): Bar {
    const { index, kind, sizeBytes, device } = spec;
    const slots = kind === 'memory64' ? 2 : 1;
    const wholePower = Number.isInteger(Math.log2(sizeBytes));
    const inRange = kind === 'io' ? sizeBytes >= 4 && sizeBytes <= 256 : sizeBytes >= 16;
    const fits = kind === 'memory64' || sizeBytes < DWORD;
    if (!wholePower || !inRange || !fits || index + slots > pci.PCI_TYPE0_BARS || !this.#mapper) {
      throw new RangeError(`${this.name}: BAR ${index} cannot be made`);
    }
    const offset = barOffset(index);
    // Address bits below the size are hard-wired to 0: so software finds the size (§7.5.1.2.1 "Base Address Registers").
    const addressBits = sizeBytes >= DWORD ? 0 : DWORD - sizeBytes;
    if (kind === 'io') {
      this.config.define(offset, 4, pci.PCI_BASE_ADDRESS_SPACE_IO, { writable: addressBits & 0xffff });
    } else {
      const prefetch = spec.prefetchable ? pci.PCI_BASE_ADDRESS_MEM_PREFETCH : 0;
      const type = kind === 'memory64' ? pci.PCI_BASE_ADDRESS_MEM_TYPE_64 : 0;
      this.config.define(offset, 4, prefetch | type, { writable: addressBits });
    }
    if (kind === 'memory64') {
      const upperBits = sizeBytes > DWORD ? DWORD - sizeBytes / DWORD : 0xffff_ffff;
      this.config.define(offset + 4, 4, 0, { writable: upperBits });
    }
    return { ...spec, mapping: this.#mapper.register(kind === 'io' ? 'io' : 'memory', sizeBytes, device) };
  }

  #decodedAddress({ index, kind }: Bar): number | undefined {
    const enable = kind === 'io' ? pci.PCI_COMMAND_IO : pci.PCI_COMMAND_MEMORY;
    if (!(this.#command() & enable)) return undefined;
    const low = this.config.read(barOffset(index), 4);
    if (kind === 'io') return low - (low % 4);
    const high = kind === 'memory64' ? this.config.read(barOffset(index) + 4, 4) : 0;
    return high * DWORD + (low - (low % 16));
  }
}

function barOffset(index: number): number {
  return pci.PCI_BASE_ADDRESS_0 + 4 * index;
}

/** The registers that both header types share. */
export function defineHeader(config: ConfigSpace, ids: PciIds, headerType: number): void {
  config.define(pci.PCI_VENDOR_ID, 2, ids.vendorId);
  config.define(pci.PCI_DEVICE_ID, 2, ids.deviceId);
  config.define(pci.PCI_COMMAND, 2, 0, { writable: COMMAND_BITS });
  config.define(pci.PCI_STATUS, 2, 0, { clearable: pci.PCI_STATUS_ERRORS });
  config.define(pci.PCI_REVISION_ID, 1, ids.revisionId ?? 0);
  config.define(pci.PCI_CLASS_CODE, 3, ids.classCode);
  config.define(pci.PCI_CACHE_LINE_SIZE, 1, 0, { writable: 0xff });
  config.define(pci.PCI_HEADER_TYPE, 1, headerType);
  config.define(pci.PCI_INTERRUPT_LINE, 1, 0, { writable: 0xff });
}
