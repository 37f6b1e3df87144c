/**
 * MSI-X: the capability, and the vector table and pending bits that a BAR holds (PCI Express Base 5.0 §6.1.4 "MSI and
 * MSI-X Operation", §7.7.2 "MSI-X Capability and Table Structure").
 */
import * as pci from '@vireo/spec/pci';
import { allOnes, type IoDevice } from '../io-device.ts';
import { SavedStateReader } from '../saved-state.ts';
import type { PciEndpoint } from './endpoint.ts';

export interface MsixMessage {
  readonly address: bigint;
  readonly data: number;
}

export interface MsixOptions {
  /** 1 to 2048. */
  readonly vectors: number;
  readonly send: (message: MsixMessage) => void;
  /** A vector's message or mask may have changed: who sends it by other ways (an irqfd's route) looks again. */
  readonly onVectorChange?: (vector: number) => void;
}

export interface MsixState {
  version: 1;
  table: number[];
  /** Vectors that wait to be unmasked. */
  pending: number[];
}

const MAX_VECTORS = 2048;
/** QWORDs of the pending bit array hold 64 vectors. */
const PBA_GRANULE_VECTORS = 64;
const CONTROL_BITS = pci.PCI_MSIX_FLAGS_ENABLE | pci.PCI_MSIX_FLAGS_MASKALL;

export class Msix {
  readonly vectors: number;
  /** Table, then pending bits: for a BAR of `barSizeBytes`. */
  readonly barSizeBytes: number;
  readonly region: IoDevice;
  readonly #pbaOffset: number;
  readonly #options: MsixOptions;
  readonly #table: Uint8Array;
  readonly #view: DataView;
  readonly #pending: Uint8Array;
  #endpoint: { readonly function: PciEndpoint; readonly capability: number } | undefined;
  /** The control bits when they were looked at last. */
  #control = 0;

  constructor(options: MsixOptions) {
    if (!(options.vectors >= 1 && options.vectors <= MAX_VECTORS))
      throw new RangeError('1 to 2048 MSI-X vectors');
    this.vectors = options.vectors;
    this.#options = options;
    this.#table = new Uint8Array(options.vectors * pci.PCI_MSIX_ENTRY_SIZE_BYTES);
    this.#view = new DataView(this.#table.buffer);
    const pbaSizeBytes = Math.ceil(options.vectors / PBA_GRANULE_VECTORS) * 8;
    this.#pending = new Uint8Array(pbaSizeBytes);
    // Pages of their own, so that one could be mapped into the guest without the other.
    this.#pbaOffset = Math.max(4096, 2 ** Math.ceil(Math.log2(this.#table.length)));
    this.barSizeBytes = 2 * this.#pbaOffset;
    this.region = {
      name: 'MSI-X table',
      read: (offset, sizeBytes) => this.#read(offset, sizeBytes),
      write: (offset, sizeBytes, value) => this.#write(offset, sizeBytes, value),
    };
    this.reset();
  }

  /** Adds the capability to the function whose BAR `barIndex` holds `region`. */
  attach(endpoint: PciEndpoint, barIndex: number): void {
    const body = new Uint8Array(10);
    const fields = new DataView(body.buffer);
    fields.setUint16(pci.PCI_MSIX_FLAGS - 2, this.vectors - 1, true);
    fields.setUint32(pci.PCI_MSIX_TABLE - 2, barIndex, true);
    fields.setUint32(pci.PCI_MSIX_PBA - 2, this.#pbaOffset | barIndex, true);
    const writable = Uint8Array.of(0, CONTROL_BITS >> 8);
    const capability = endpoint.addCapability(pci.PCI_CAP_ID_MSIX, body, writable, () =>
      this.#controlChanged(),
    );
    this.#endpoint = { function: endpoint, capability };
  }

  /** Whether the guest uses MSI-X; the function must not assert INTx then. */
  get enabled(): boolean {
    return (this.#readControl() & pci.PCI_MSIX_FLAGS_ENABLE) !== 0;
  }

  /** The message of a vector that is enabled and not masked. */
  message(vector: number): MsixMessage | undefined {
    if (!this.#deliverable(vector)) return undefined;
    const entry = vector * pci.PCI_MSIX_ENTRY_SIZE_BYTES;
    return {
      address: this.#view.getBigUint64(entry + pci.PCI_MSIX_ENTRY_LOWER_ADDR, true),
      data: this.#view.getUint32(entry + pci.PCI_MSIX_ENTRY_DATA, true),
    };
  }

  /** Raises a vector: sends its message, or remembers it while it is masked. Vectors that are none do nothing. */
  signal(vector: number): void {
    if (!(vector < this.vectors) || !this.enabled) return;
    const message = this.message(vector);
    if (message === undefined) this.#pending[vector >> 3]! |= 1 << (vector & 7);
    else if (this.#endpoint?.function.busMaster) this.#options.send(message);
  }

  reset(): void {
    this.#table.fill(0);
    this.#pending.fill(0);
    for (let vector = 0; vector < this.vectors; vector++) {
      const entry = vector * pci.PCI_MSIX_ENTRY_SIZE_BYTES;
      this.#table[entry + pci.PCI_MSIX_ENTRY_VECTOR_CTRL] = pci.PCI_MSIX_ENTRY_CTRL_MASKBIT;
    }
    this.#control = 0;
  }

  save(): MsixState {
    const pending = [];
    for (let vector = 0; vector < this.vectors; vector++) if (this.#isPending(vector)) pending.push(vector);
    return { version: 1, table: [...this.#table], pending };
  }

  /** Before or after the function's own state. @throws SavedStateError */
  restore(state: MsixState): void {
    const reader = new SavedStateReader('MSI-X', state, 1);
    const table = reader.uints('table', 0xff, { length: this.#table.length });
    const pending = reader.uints('pending', this.vectors - 1, { maxLength: this.vectors });
    this.#table.set(table);
    this.#pending.fill(0);
    for (const vector of pending) this.#pending[vector >> 3]! |= 1 << (vector & 7);
    this.#allChanged();
  }

  /** Enable and function mask. */
  #readControl(): number {
    if (this.#endpoint === undefined) return 0;
    const { function: fn, capability } = this.#endpoint;
    return fn.config.read(capability + pci.PCI_MSIX_FLAGS, 2) & CONTROL_BITS;
  }

  #isPending(vector: number): boolean {
    return (this.#pending[vector >> 3]! & (1 << (vector & 7))) !== 0;
  }

  #deliverable(vector: number): boolean {
    const entry = vector * pci.PCI_MSIX_ENTRY_SIZE_BYTES;
    const masked = this.#table[entry + pci.PCI_MSIX_ENTRY_VECTOR_CTRL]! & pci.PCI_MSIX_ENTRY_CTRL_MASKBIT;
    return this.#readControl() === pci.PCI_MSIX_FLAGS_ENABLE && masked === 0;
  }

  #controlChanged(): void {
    const control = this.#readControl();
    if (control === this.#control) return;
    this.#control = control;
    this.#allChanged();
  }

  #allChanged(): void {
    for (let vector = 0; vector < this.vectors; vector++) this.#vectorChanged(vector);
  }

  #vectorChanged(vector: number): void {
    this.#options.onVectorChange?.(vector);
    if (!this.#isPending(vector) || !this.#deliverable(vector)) return;
    this.#pending[vector >> 3]! &= ~(1 << (vector & 7));
    this.signal(vector);
  }

  #read(offset: number, sizeBytes: number): number {
    const [bytes, start] =
      offset < this.#pbaOffset ? [this.#table, offset] : [this.#pending, offset - this.#pbaOffset];
    let value = 0;
    for (let i = 0; i < sizeBytes; i++) value += (bytes[start + i] ?? 0) * 2 ** (8 * i);
    return value;
  }

  /** §7.7.2.1 asks for aligned 32- and 64-bit accesses; others change the bytes they name. PBA is read-only. */
  #write(offset: number, sizeBytes: number, value: number): void {
    for (let i = 0; i < sizeBytes; i++) {
      if (offset + i < this.#table.length) this.#table[offset + i] = (value >>> (8 * i)) & allOnes(1);
    }
    const first = Math.floor(offset / pci.PCI_MSIX_ENTRY_SIZE_BYTES);
    const last = Math.floor((offset + sizeBytes - 1) / pci.PCI_MSIX_ENTRY_SIZE_BYTES);
    for (let vector = first; vector <= last && vector < this.vectors; vector++) this.#vectorChanged(vector);
  }
}
