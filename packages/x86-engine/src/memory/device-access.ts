/**
 * Accesses of an instruction that no pointer into guest memory can serve: to devices, and across pages. The interpreter
 * gets a pointer into the vCPU's scratch page instead. Reads are collected there first; what was written there goes to
 * where it belongs when the instruction has ended.
 *
 * A device's answer to a read comes from outside, after the instruction was left without having changed anything: it is
 * run again, and takes its answers in the order in which it asks.
 *
 * What is read, changed and written across pages of memory is so under a lock that all vCPUs share: locked instructions are
 * atomic against each other there. No plain access waits for it (see interpreter/locked-functions.ts).
 */
import { SharedLock } from '@vireo/guest-memory/shared-lock';
import { PAGE_LOCK_ADDRESS } from '../shared-words.ts';
import { NO_MEMORY, type PhysicalMemory } from './physical-memory.ts';

/** A contiguous piece of an access: at an address of ours, or a device's (`address` 0). */
export interface Part {
  readonly address: number;
  /** The same, but of read-only memory, whose writes are a device's. */
  readonly readAddress: number;
  readonly gpa: number;
  readonly lengthBytes: number;
}

export interface DeviceRequest {
  readonly direction: 'read' | 'write';
  readonly gpa: number;
  readonly lengthBytes: number;
  /** Of a write: the bytes, little-endian. */
  readonly value: bigint;
}

/** Devices inside the accelerator. */
export interface InnerDevices {
  /** undefined: there is none. */
  read(gpa: number, lengthBytes: number): bigint | undefined;
  write(gpa: number, lengthBytes: number, value: bigint): boolean;
}

/** What an MMIO exit has at most. */
const MOST_BYTES = 8;
const SLOT_BYTES = 1024;
const SLOTS = 4;
/** Keeps an access as aligned in the scratch page as it is in its own. */
const ALIGNMENT_MASK = 63;

export class DeviceAccess {
  readonly #memory: PhysicalMemory;
  readonly #scratch: number;
  readonly #devices: InnerDevices;
  readonly #pageLock: SharedLock;
  #nextSlot = 0;
  #answers: bigint[] = [];
  #taken = 0;
  #holdsPageLock = false;
  #writes: { readonly parts: readonly Part[]; readonly at: number }[] = [];
  /** What the instruction at hand waits for: a device's answer. */
  waitsFor: DeviceRequest | undefined;

  constructor(memory: PhysicalMemory, scratch: number, devices: InnerDevices) {
    this.#memory = memory;
    this.#scratch = scratch;
    this.#devices = devices;
    this.#pageLock = new SharedLock(new Int32Array(memory.bytes.buffer), PAGE_LOCK_ADDRESS / 4);
  }

  /** The instruction starts, for the first time or again. */
  restart(): void {
    this.#releasePageLock();
    this.#taken = 0;
    this.#writes = [];
    this.waitsFor = undefined;
  }

  /** Of `waitsFor`. */
  answer(value: bigint): void {
    this.#answers.push(value);
  }

  get hasAnswers(): boolean {
    return this.#answers.length > 0;
  }

  /** @returns where what was read is, or 0 when a device has to be asked first */
  read(parts: readonly Part[], gva: bigint): number {
    const at = this.#slot(gva);
    return this.#collect(parts, at, true) ? at : 0;
  }

  /** `reads`: the instruction reads what it writes. @returns where to write, or 0 when a device has to be asked first */
  write(parts: readonly Part[], gva: bigint, reads: boolean): number {
    const at = this.#slot(gva);
    if (reads && parts.every(({ address }) => address !== NO_MEMORY)) this.#acquirePageLock();
    if (!this.#collect(parts, at, reads)) return 0;
    this.#writes.push({ parts, at });
    return at;
  }

  /** The instruction has raised something: it has written nothing, and will ask anew. */
  abandon(): void {
    this.#answers = [];
    this.restart();
  }

  /** The instruction has ended: writes to memory are done now. @returns those to devices outside, in their order */
  end(): DeviceRequest[] {
    const outside: DeviceRequest[] = [];
    for (const { parts, at } of this.#writes) {
      let offset = at;
      for (const part of parts) {
        outside.push(...this.#writePart(part, offset));
        offset += part.lengthBytes;
      }
    }
    this.abandon();
    return outside;
  }

  /** Held until the instruction has ended, faulted or not; nothing in between waits for anybody. */
  #acquirePageLock(): void {
    if (this.#holdsPageLock) return;
    this.#pageLock.acquire();
    this.#holdsPageLock = true;
  }

  #releasePageLock(): void {
    if (!this.#holdsPageLock) return;
    this.#holdsPageLock = false;
    this.#pageLock.release();
  }

  #slot(gva: bigint): number {
    this.#nextSlot = (this.#nextSlot + 1) % SLOTS;
    return this.#scratch + this.#nextSlot * SLOT_BYTES + Number(gva & BigInt(ALIGNMENT_MASK));
  }

  #collect(parts: readonly Part[], at: number, asksDevices: boolean): boolean {
    let offset = at;
    for (const { readAddress, gpa, lengthBytes } of parts) {
      if (readAddress !== 0) this.#memory.bytes.copyWithin(offset, readAddress, readAddress + lengthBytes);
      else if (asksDevices && !this.#ask(gpa, lengthBytes, offset)) return false;
      offset += lengthBytes;
    }
    return true;
  }

  #ask(gpa: number, lengthBytes: number, at: number): boolean {
    for (let done = 0; done < lengthBytes; done += MOST_BYTES) {
      const length = Math.min(MOST_BYTES, lengthBytes - done);
      const value = this.#devices.read(gpa + done, length) ?? this.#answers[this.#taken++];
      if (value === undefined) {
        this.waitsFor = { direction: 'read', gpa: gpa + done, lengthBytes: length, value: 0n };
        return false;
      }
      for (let byte = 0; byte < length; byte++)
        this.#memory.bytes[at + done + byte] = Number((value >> BigInt(byte * 8)) & 0xffn);
    }
    return true;
  }

  #writePart({ address, gpa, lengthBytes }: Part, at: number): DeviceRequest[] {
    if (address !== 0) {
      this.#memory.bytes.copyWithin(address, at, at + lengthBytes);
      return [];
    }
    const outside: DeviceRequest[] = [];
    for (let done = 0; done < lengthBytes; done += MOST_BYTES) {
      const length = Math.min(MOST_BYTES, lengthBytes - done);
      let value = 0n;
      for (let byte = 0; byte < length; byte++)
        value |= BigInt(this.#memory.bytes[at + done + byte]!) << BigInt(byte * 8);
      if (!this.#devices.write(gpa + done, length, value))
        outside.push({ direction: 'write', gpa: gpa + done, lengthBytes: length, value });
    }
    return outside;
  }
}
