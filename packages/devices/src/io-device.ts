/** What a device looks like to a bus, and an interrupt line to a device. */

/**
 * Registers in an address space. Every offset, size and value may have been chosen by the guest: an access never
 * throws, and one that means nothing reads as all ones or is ignored.
 */
export interface IoDevice {
  readonly name: string;
  /** `offset` is below the length the device was attached with. @returns `sizeBytes` bytes, little-endian, unsigned. */
  read(offset: number, sizeBytes: number): number;
  /** `value` is unsigned and at most 32 bits. */
  write(offset: number, sizeBytes: number, value: number): void;
}

/** One interrupt request line. Setting the level it already has changes nothing. */
export interface InterruptLine {
  set(level: boolean): void;
}

/** What an access of this size reads where nothing answers: an undriven bus floats high. */
export function allOnes(sizeBytes: number): number {
  return sizeBytes >= 4 ? 0xffff_ffff : 2 ** (8 * sizeBytes) - 1;
}
