/**
 * An address space of devices: the 64 Ki I/O ports, or the guest physical addresses that are not memory.
 *
 * Where no device answers, reads give all ones and writes go nowhere, as on an undriven bus. Accesses have 1, 2 or
 * 4 bytes, or 3 where one was cut at a page; callers split wider ones.
 */
import { allOnes, type IoDevice } from './io-device.ts';

export interface BusRange {
  readonly device: IoDevice;
  readonly base: number;
  readonly lengthBytes: number;
}

export class Bus {
  readonly name: string;
  /** In order of `base`, without overlap. */
  readonly #ranges: BusRange[] = [];
  /** The range hit last: accesses come in runs. */
  #last: BusRange | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** The ranges in order of their addresses. */
  get ranges(): readonly BusRange[] {
    return this.#ranges;
  }

  /** @throws RangeError when the range is empty or overlaps one that is attached. */
  attach(base: number, lengthBytes: number, device: IoDevice): void {
    if (!(base >= 0 && lengthBytes > 0 && Number.isSafeInteger(base + lengthBytes))) {
      throw new RangeError(`${this.name}: ${device.name} at ${hexRange(base, lengthBytes)} is no range`);
    }
    const index = this.#ranges.findIndex((range) => range.base > base);
    const at = index < 0 ? this.#ranges.length : index;
    const before = this.#ranges[at - 1];
    const after = this.#ranges[at];
    for (const other of [before, after]) {
      if (other && base < other.base + other.lengthBytes && other.base < base + lengthBytes) {
        const taken = hexRange(other.base, other.lengthBytes);
        throw new RangeError(
          `${this.name}: ${device.name} at ${hexRange(base, lengthBytes)} overlaps ${other.device.name} at ${taken}`,
        );
      }
    }
    this.#ranges.splice(at, 0, { device, base, lengthBytes });
  }

  /** Whether a device could be attached to the whole range. */
  isFree(base: number, lengthBytes: number): boolean {
    return !this.#ranges.some(
      (range) => base < range.base + range.lengthBytes && range.base < base + lengthBytes,
    );
  }

  /** Removes what was attached at `base`. @returns false when nothing was. */
  detach(base: number): boolean {
    const index = this.#ranges.findIndex((range) => range.base === base);
    if (index < 0) return false;
    this.#ranges.splice(index, 1);
    this.#last = undefined;
    return true;
  }

  /** The device that answers at this address. The object is the bus's own: it lives as long as the attachment. */
  find(address: number): BusRange | undefined {
    const last = this.#last;
    if (last !== undefined && address >= last.base && address - last.base < last.lengthBytes) return last;
    let low = 0;
    let high = this.#ranges.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const range = this.#ranges[middle]!;
      if (address < range.base) high = middle - 1;
      else if (address - range.base >= range.lengthBytes) low = middle + 1;
      else {
        this.#last = range;
        return range;
      }
    }
    return undefined;
  }

  has(address: number): boolean {
    return this.find(address) !== undefined;
  }

  /** @returns `sizeBytes` bytes, little-endian, unsigned; all ones where nothing answers. */
  read(address: number, sizeBytes: number): number {
    const range = this.find(address);
    if (range !== undefined && isWhole(range, address, sizeBytes)) {
      return range.device.read(address - range.base, sizeBytes);
    }
    return this.#readBytes(address, sizeBytes);
  }

  /** Ignored where nothing answers. */
  write(address: number, sizeBytes: number, value: number): void {
    const range = this.find(address);
    if (range !== undefined && isWhole(range, address, sizeBytes)) {
      range.device.write(address - range.base, sizeBytes, value);
    } else {
      this.#writeBytes(address, sizeBytes, value);
    }
  }

  /** An access across the ends of devices, cut into bytes as ISA and PCI bridges do. */
  #readBytes(address: number, sizeBytes: number): number {
    let value = 0;
    for (let i = 0; i < Math.min(sizeBytes, 4); i++) {
      const range = this.find(address + i);
      const byte = range === undefined ? allOnes(1) : range.device.read(address + i - range.base, 1);
      value |= byte << (8 * i);
    }
    return value >>> 0;
  }

  #writeBytes(address: number, sizeBytes: number, value: number): void {
    for (let i = 0; i < Math.min(sizeBytes, 4); i++) {
      const range = this.find(address + i);
      range?.device.write(address + i - range.base, 1, (value >>> (8 * i)) & 0xff);
    }
  }
}

/** Whether one device gets the whole access, in a size that devices know. */
function isWhole(range: BusRange, address: number, sizeBytes: number): boolean {
  return address - range.base + sizeBytes <= range.lengthBytes && sizeBytes !== 3;
}

function hexRange(base: number, lengthBytes: number): string {
  return `0x${base.toString(16)}+0x${lengthBytes.toString(16)}`;
}
