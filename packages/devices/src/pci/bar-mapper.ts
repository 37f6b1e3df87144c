/**
 * Puts the BARs of all functions on the buses. A guest may program any address into a BAR: only what lies inside a
 * window of the host bridge and is free gets mapped, the first come first, and what could not be mapped is tried
 * again when something else moves.
 */
import type { Bus } from '../bus.ts';
import type { IoDevice } from '../io-device.ts';

export interface AddressWindow {
  readonly base: number;
  readonly sizeBytes: number;
}

export interface BarMapperOptions {
  readonly mmio: Bus;
  readonly mmioWindows: readonly AddressWindow[];
  readonly ports: Bus;
  readonly portWindows: readonly AddressWindow[];
}

/** One BAR's place in the address space. */
export interface BarMapping {
  readonly space: 'memory' | 'io';
  readonly sizeBytes: number;
  readonly device: IoDevice;
  /** Where the guest wants it, while it decodes. */
  wantedBase: number | undefined;
  /** Where it is. */
  mappedBase: number | undefined;
}

export class BarMapper {
  readonly #options: BarMapperOptions;
  readonly #mappings = new Set<BarMapping>();

  constructor(options: BarMapperOptions) {
    this.#options = options;
  }

  register(space: 'memory' | 'io', sizeBytes: number, device: IoDevice): BarMapping {
    const mapping = { space, sizeBytes, device, wantedBase: undefined, mappedBase: undefined };
    this.#mappings.add(mapping);
    return mapping;
  }

  /** The BAR now decodes at `base`, or not at all. */
  move(mapping: BarMapping, base: number | undefined): void {
    if (mapping.wantedBase === base) return;
    mapping.wantedBase = base;
    if (mapping.mappedBase !== undefined) this.#bus(mapping).detach(mapping.mappedBase);
    mapping.mappedBase = undefined;
    for (const candidate of this.#mappings) this.#tryMap(candidate);
  }

  /** Takes a function's BAR off the bus for good. */
  unregister(mapping: BarMapping): void {
    this.move(mapping, undefined);
    this.#mappings.delete(mapping);
  }

  #bus(mapping: BarMapping): Bus {
    return mapping.space === 'memory' ? this.#options.mmio : this.#options.ports;
  }

  #tryMap(mapping: BarMapping): void {
    const { space, sizeBytes, device, wantedBase } = mapping;
    if (wantedBase === undefined || mapping.mappedBase !== undefined) return;
    const windows = space === 'memory' ? this.#options.mmioWindows : this.#options.portWindows;
    const inside = windows.some(
      (window) => wantedBase >= window.base && wantedBase + sizeBytes <= window.base + window.sizeBytes,
    );
    const bus = this.#bus(mapping);
    if (!inside || !bus.isFree(wantedBase, sizeBytes)) return;
    bus.attach(wantedBase, sizeBytes, device);
    mapping.mappedBase = wantedBase;
  }
}
