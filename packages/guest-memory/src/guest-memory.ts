/**
 * Guest physical memory as devices and loaders see it: regions of RAM and ROM at guest physical addresses, with
 * bounds-checked little-endian accessors. What lies between regions is not memory.
 *
 * Every address that reaches this file may have been chosen by the guest. The `try…` accessors answer `undefined`
 * (or false) for an address outside memory: a guest's mistake is data. The others throw `GuestAddressError` and
 * are for callers that chose the address themselves.
 */
import type { MemoryBacking } from './backing.ts';
import type { DirtyLog } from './dirty-log.ts';

/** A contiguous run of guest physical memory. */
export interface MemoryRegion {
  readonly gpa: number;
  readonly sizeBytes: number;
  readonly backing: MemoryBacking;
  /** Where in the backing the region starts, in bytes. */
  readonly backingOffset: number;
  /** The guest cannot write it; loaders can. */
  readonly readonly: boolean;
}

/** An address range that is not wholly inside one region of guest memory. */
export class GuestAddressError extends Error {
  readonly gpa: number;
  readonly lengthBytes: number;

  constructor(gpa: number, lengthBytes: number) {
    super(`guest physical range 0x${gpa.toString(16)}+0x${lengthBytes.toString(16)} is not in guest memory`);
    this.name = 'GuestAddressError';
    this.gpa = gpa;
    this.lengthBytes = lengthBytes;
  }
}

interface MappedRegion extends MemoryRegion {
  readonly end: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

export class GuestMemory {
  readonly regions: readonly MemoryRegion[];
  readonly #mapped: readonly MappedRegion[];
  /** The region hit last: accesses come in runs. */
  #last: MappedRegion | undefined;
  /** Told of every write made through this object while it is set; the accelerator logs the guest's own. */
  dirtyLog: DirtyLog | undefined;

  /** @throws RangeError when regions overlap, are empty, or leave their backing. */
  constructor(regions: readonly MemoryRegion[]) {
    this.#mapped = regions.map(mapRegion).sort((a, b) => a.gpa - b.gpa);
    for (const [i, region] of this.#mapped.entries()) {
      const next = this.#mapped[i + 1];
      if (next && next.gpa < region.end) throw new RangeError('guest memory regions overlap');
    }
    this.regions = this.#mapped;
  }

  /** Bytes of memory in all regions together. */
  get sizeBytes(): number {
    return this.#mapped.reduce((sum, region) => sum + region.sizeBytes, 0);
  }

  /** Whether the whole range lies in one region. */
  contains(gpa: number, lengthBytes: number): boolean {
    return this.#find(gpa, lengthBytes) !== undefined;
  }

  /** The host virtual address of a range inside one region, for system calls that fill guest memory directly. */
  hva(gpa: number, lengthBytes: number): number {
    const region = this.#need(gpa, lengthBytes);
    return region.backing.hva + region.backingOffset + (gpa - region.gpa);
  }

  /** A window on guest memory, not a copy; undefined when the range is not inside one region. Marks nothing dirty. */
  tryView(gpa: number, lengthBytes: number): Uint8Array | undefined {
    const region = this.#find(gpa, lengthBytes);
    if (region === undefined) return undefined;
    const start = gpa - region.gpa;
    return region.bytes.subarray(start, start + lengthBytes);
  }

  /** A window on guest memory, not a copy. Marks nothing dirty. */
  view(gpa: number, lengthBytes: number): Uint8Array {
    const view = this.tryView(gpa, lengthBytes);
    if (view === undefined) throw new GuestAddressError(gpa, lengthBytes);
    return view;
  }

  /** Copies into guest memory; false, with nothing written, when the range is not inside one region. */
  tryWrite(gpa: number, source: Uint8Array): boolean {
    const target = this.tryView(gpa, source.byteLength);
    if (target === undefined) return false;
    target.set(source);
    this.#wrote(gpa, source.byteLength);
    return true;
  }

  write(gpa: number, source: Uint8Array): void {
    if (!this.tryWrite(gpa, source)) throw new GuestAddressError(gpa, source.byteLength);
  }

  /** Copies out of guest memory; false, with the target untouched, when the range is not inside one region. */
  tryRead(gpa: number, target: Uint8Array): boolean {
    const source = this.tryView(gpa, target.byteLength);
    if (source === undefined) return false;
    target.set(source);
    return true;
  }

  read(gpa: number, target: Uint8Array): void {
    if (!this.tryRead(gpa, target)) throw new GuestAddressError(gpa, target.byteLength);
  }

  fill(gpa: number, lengthBytes: number, value: number): void {
    this.view(gpa, lengthBytes).fill(value);
    this.#wrote(gpa, lengthBytes);
  }

  readU8(gpa: number): number {
    const region = this.#need(gpa, 1);
    return region.view.getUint8(gpa - region.gpa);
  }

  readU16(gpa: number): number {
    const region = this.#need(gpa, 2);
    return region.view.getUint16(gpa - region.gpa, true);
  }

  readU32(gpa: number): number {
    const region = this.#need(gpa, 4);
    return region.view.getUint32(gpa - region.gpa, true);
  }

  readU64(gpa: number): bigint {
    const region = this.#need(gpa, 8);
    return region.view.getBigUint64(gpa - region.gpa, true);
  }

  writeU8(gpa: number, value: number): void {
    const region = this.#need(gpa, 1);
    region.view.setUint8(gpa - region.gpa, value);
    this.#wrote(gpa, 1);
  }

  writeU16(gpa: number, value: number): void {
    const region = this.#need(gpa, 2);
    region.view.setUint16(gpa - region.gpa, value, true);
    this.#wrote(gpa, 2);
  }

  writeU32(gpa: number, value: number): void {
    const region = this.#need(gpa, 4);
    region.view.setUint32(gpa - region.gpa, value, true);
    this.#wrote(gpa, 4);
  }

  writeU64(gpa: number, value: bigint): void {
    const region = this.#need(gpa, 8);
    region.view.setBigUint64(gpa - region.gpa, value, true);
    this.#wrote(gpa, 8);
  }

  #find(gpa: number, lengthBytes: number): MappedRegion | undefined {
    const last = this.#last;
    if (last !== undefined && gpa >= last.gpa && gpa + lengthBytes <= last.end) return last;
    for (const region of this.#mapped) {
      if (gpa >= region.gpa && gpa + lengthBytes <= region.end) {
        this.#last = region;
        return region;
      }
    }
    return undefined;
  }

  #need(gpa: number, lengthBytes: number): MappedRegion {
    const region = this.#find(gpa, lengthBytes);
    if (region === undefined) throw new GuestAddressError(gpa, lengthBytes);
    return region;
  }

  #wrote(gpa: number, lengthBytes: number): void {
    this.dirtyLog?.mark(gpa, lengthBytes);
  }
}

function mapRegion(region: MemoryRegion): MappedRegion {
  const { gpa, sizeBytes, backing, backingOffset } = region;
  if (sizeBytes <= 0) throw new RangeError('a guest memory region is empty');
  if (backingOffset + sizeBytes > backing.sizeBytes) throw new RangeError('a region leaves its backing');
  return {
    ...region,
    end: gpa + sizeBytes,
    bytes: new Uint8Array(backing.buffer, backingOffset, sizeBytes),
    view: new DataView(backing.buffer, backingOffset, sizeBytes),
  };
}
