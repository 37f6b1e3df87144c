/**
 * The configuration space of one function: 4 KiB of registers, each bit of which is read-only, writable, or cleared
 * by a written 1 (PCI Express Base 5.0 §7.4 "Configuration Register Types").
 */
import { PCI_CONFIG_SPACE_SIZE_BYTES } from '@vireo/spec/pci';
import { allOnes } from '../io-device.ts';
import { SavedStateReader } from '../saved-state.ts';

export interface RegisterBits {
  /** Bits that software writes; none by default. */
  readonly writable?: number;
  /** Bits that a written 1 clears; none by default. */
  readonly clearable?: number;
}

export interface ConfigSpaceState {
  version: 1;
  /** Offsets and values of the bytes that differ from reset. */
  offsets: number[];
  values: number[];
}

export class ConfigSpace {
  readonly #bytes = new Uint8Array(PCI_CONFIG_SPACE_SIZE_BYTES);
  readonly #atReset = new Uint8Array(PCI_CONFIG_SPACE_SIZE_BYTES);
  readonly #writable = new Uint8Array(PCI_CONFIG_SPACE_SIZE_BYTES);
  readonly #clearable = new Uint8Array(PCI_CONFIG_SPACE_SIZE_BYTES);

  /** Lays out a register: its value at reset, and what software may do with its bits. */
  define(offset: number, sizeBytes: number, value: number, bits: RegisterBits = {}): void {
    const { writable = 0, clearable = 0 } = bits;
    for (let i = 0; i < sizeBytes; i++) {
      const shift = 8 * i;
      this.#bytes[offset + i] = this.#atReset[offset + i] = value >>> shift;
      this.#writable[offset + i] = writable >>> shift;
      this.#clearable[offset + i] = clearable >>> shift;
    }
  }

  /** As software reads it; beyond the end, ones. */
  read(offset: number, sizeBytes: number): number {
    let value = 0;
    for (let i = 0; i < sizeBytes; i++) value += (this.#bytes[offset + i] ?? allOnes(1)) * 2 ** (8 * i);
    return value;
  }

  /** As software writes it. */
  write(offset: number, sizeBytes: number, value: number): void {
    for (let i = 0; i < sizeBytes; i++) this.#writeByte(offset + i, (value >>> (8 * i)) & 0xff);
  }

  /** As the device itself changes the bits in `mask`, read-only ones too. */
  update(offset: number, sizeBytes: number, mask: number, value: number): void {
    for (let i = 0; i < sizeBytes; i++) {
      const byteMask = (mask >>> (8 * i)) & 0xff;
      const byte = (value >>> (8 * i)) & byteMask;
      this.#bytes[offset + i] = (this.#bytes[offset + i]! & ~byteMask) | byte;
    }
  }

  reset(): void {
    this.#bytes.set(this.#atReset);
  }

  save(): ConfigSpaceState {
    const offsets: number[] = [];
    for (let i = 0; i < this.#bytes.length; i++) if (this.#bytes[i] !== this.#atReset[i]) offsets.push(i);
    return { version: 1, offsets, values: offsets.map((offset) => this.#bytes[offset]!) };
  }

  /** Takes only bits that software or events could have changed. @throws SavedStateError */
  restore(state: unknown): void {
    const reader = new SavedStateReader('PCI configuration space', state, 1);
    const offsets = reader.uints('offsets', this.#bytes.length - 1, { maxLength: this.#bytes.length });
    const values = reader.uints('values', 0xff, { length: offsets.length });
    this.reset();
    for (const [i, offset] of offsets.entries()) {
      const mask = this.#writable[offset]! | this.#clearable[offset]!;
      this.update(offset, 1, mask, values[i]!);
    }
  }

  #writeByte(offset: number, byte: number): void {
    const old = this.#bytes[offset];
    if (old === undefined) return;
    const writable = this.#writable[offset]!;
    const cleared = byte & this.#clearable[offset]!;
    this.#bytes[offset] = ((old & ~writable) | (byte & writable)) & ~cleared;
  }
}
