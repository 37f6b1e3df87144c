/**
 * IN, OUT, INS and OUTS (Intel SDM Vol. 1 chapter 19 "Input/Output"): ports of devices inside the accelerator are served
 * at once, all others are exits. An instruction goes on when its exit has been answered.
 */
import type { IoExit } from '@vireo/hypervisor';
import { requirePort } from '../system/io-permission.ts';
import { accessPrivilege, RFLAGS } from '../system/processor.ts';
import type { SystemProcessor } from '../system/system-processor.ts';
import { DATA_SEGMENTS } from './mode.ts';

export type PortBytes = 1 | 2 | 4;

/** Ports of devices inside the accelerator. */
export interface InnerPorts {
  has(port: number): boolean;
  read(port: number, lengthBytes: number): number;
  write(port: number, lengthBytes: number, value: number): void;
}

/** What a vCPU does for this. */
export interface PortHost {
  readonly processor: SystemProcessor;
  readonly ports: InnerPorts;
  /** Leaves the guest; `answered` is called before it goes on. */
  exit(exit: IoExit, answered: () => void): void;
  /** The linear address of an offset in a segment. @throws GuestFault */
  linear(segment: number, offset: bigint, lengthBytes: number, kind: 'read' | 'write'): bigint;
}

/** A string instruction: which, and how it is prefixed. */
export interface StringAccess {
  readonly lengthBytes: PortBytes;
  readonly addressBits: 16 | 32 | 64;
  readonly repeats: boolean;
  /** Of OUTS: the number of its source's segment. */
  readonly segment: number;
}

const PAGE_BYTES = 4096;
const MOST_ITEMS = 1024;
const ES = DATA_SEGMENTS.indexOf('es');

interface Exit {
  kind: 'io';
  direction: 'in' | 'out';
  port: number;
  sizeBytes: PortBytes;
  count: number;
  data: DataView;
}

export class PortAccess {
  readonly #host: PortHost;
  readonly #buffer = new ArrayBuffer(PAGE_BYTES);
  readonly #data = new DataView(this.#buffer);
  readonly #exit: Exit = {
    ...{ kind: 'io', direction: 'in', port: 0, sizeBytes: 1, count: 1 },
    data: new DataView(this.#buffer, 0, 1),
  };

  constructor(host: PortHost) {
    this.#host = host;
  }

  read(port: number, lengthBytes: PortBytes): void {
    requirePort(this.#host.processor, port, lengthBytes);
    if (this.#host.ports.has(port)) {
      this.#setAccumulator(lengthBytes, this.#host.ports.read(port, lengthBytes));
      return;
    }
    this.#data.setUint32(0, 0, true);
    this.#leave('in', port, lengthBytes, 1, () =>
      this.#setAccumulator(lengthBytes, this.#item(0, lengthBytes)),
    );
  }

  write(port: number, lengthBytes: PortBytes): void {
    requirePort(this.#host.processor, port, lengthBytes);
    const value = Number(this.#host.processor.general.rax & 0xffff_ffffn);
    if (this.#host.ports.has(port)) {
      this.#host.ports.write(port, lengthBytes, value & (2 ** (lengthBytes * 8) - 1));
      return;
    }
    this.#setItem(0, lengthBytes, value);
    this.#leave('out', port, lengthBytes, 1, () => {});
  }

  /** @param rip the instruction's own address, to which it returns until it is done */
  readString(access: StringAccess, rip: bigint): void {
    const { general } = this.#host.processor;
    const port = Number(general.rdx & 0xffffn);
    const items = this.#begin(access, port, general.rdi);
    if (items === 0) return;
    const at = this.#address(access, general.rdi, ES, items, 'write');
    const finish = () => {
      const next = general.rip;
      // What was checked may be gone: page tables are memory, too, and others write them.
      general.rip = rip;
      for (let item = 0; item < items; item++)
        this.#store(
          at + BigInt(item * access.lengthBytes),
          access.lengthBytes,
          this.#item(item, access.lengthBytes),
        );
      general.rip = next;
      general.rdi = this.#advanced(general.rdi, access, items);
      this.#count(access, items, rip);
    };
    if (this.#host.ports.has(port)) {
      for (let item = 0; item < items; item++)
        this.#setItem(item, access.lengthBytes, this.#host.ports.read(port, access.lengthBytes));
      finish();
    } else this.#leave('in', port, access.lengthBytes, items, finish);
  }

  writeString(access: StringAccess, rip: bigint): void {
    const { general } = this.#host.processor;
    const port = Number(general.rdx & 0xffffn);
    const items = this.#begin(access, port, general.rsi);
    if (items === 0) return;
    const at = this.#address(access, general.rsi, access.segment, items, 'read');
    for (let item = 0; item < items; item++)
      this.#setItem(
        item,
        access.lengthBytes,
        this.#load(at + BigInt(item * access.lengthBytes), access.lengthBytes),
      );
    const finish = () => {
      general.rsi = this.#advanced(general.rsi, access, items);
      this.#count(access, items, rip);
    };
    if (this.#host.ports.has(port)) {
      for (let item = 0; item < items; item++)
        this.#host.ports.write(port, access.lengthBytes, this.#item(item, access.lengthBytes));
      finish();
    } else this.#leave('out', port, access.lengthBytes, items, finish);
  }

  /** How many items go at once: within a page, and forwards. */
  #begin(access: StringAccess, port: number, address: bigint): number {
    requirePort(this.#host.processor, port, access.lengthBytes);
    if (!access.repeats) return 1;
    const { general } = this.#host.processor;
    const count = cut(general.rcx, access.addressBits);
    if (count === 0n) return 0;
    if ((general.rflags & RFLAGS.DF) !== 0n) return 1;
    const inPage = (PAGE_BYTES - Number(address & BigInt(PAGE_BYTES - 1))) / access.lengthBytes;
    const most = Math.max(1, Math.min(Math.floor(inPage), MOST_ITEMS));
    return count < BigInt(most) ? Number(count) : most;
  }

  #address(
    { addressBits, lengthBytes }: StringAccess,
    register: bigint,
    segment: number,
    items: number,
    kind: 'read' | 'write',
  ): bigint {
    const gva = this.#host.linear(segment, cut(register, addressBits), items * lengthBytes, kind);
    // Nothing is asked of a device that memory has no room for.
    const privilege = accessPrivilege(this.#host.processor);
    this.#host.processor.memory.check(gva, lengthBytes, kind, privilege);
    const last = gva + BigInt((items - 1) * lengthBytes);
    this.#host.processor.memory.check(last, lengthBytes, kind, privilege);
    return gva;
  }

  #advanced(register: bigint, { addressBits, lengthBytes }: StringAccess, items: number): bigint {
    const backwards = (this.#host.processor.general.rflags & RFLAGS.DF) !== 0n;
    const step = BigInt(items * lengthBytes);
    return replaced(register, backwards ? register - step : register + step, addressBits);
  }

  /** Until the count is 0 the instruction is not done. */
  #count({ repeats, addressBits }: StringAccess, items: number, rip: bigint): void {
    if (!repeats) return;
    const { general } = this.#host.processor;
    general.rcx = replaced(general.rcx, general.rcx - BigInt(items), addressBits);
    if (cut(general.rcx, addressBits) !== 0n) general.rip = rip;
  }

  #leave(
    direction: 'in' | 'out',
    port: number,
    sizeBytes: PortBytes,
    count: number,
    answered: () => void,
  ): void {
    const exit = this.#exit;
    const lengthBytes = sizeBytes * count;
    if (exit.data.byteLength !== lengthBytes) exit.data = new DataView(this.#buffer, 0, lengthBytes);
    Object.assign(exit, { direction, port, sizeBytes, count });
    this.#host.exit(exit, answered);
  }

  #setAccumulator(lengthBytes: PortBytes, value: number): void {
    const { general } = this.#host.processor;
    if (lengthBytes === 4) general.rax = BigInt(value >>> 0);
    else {
      const mask = lengthBytes === 1 ? 0xffn : 0xffffn;
      general.rax = (general.rax & ~mask) | (BigInt(value >>> 0) & mask);
    }
  }

  #item(item: number, lengthBytes: PortBytes): number {
    if (lengthBytes === 1) return this.#data.getUint8(item);
    return lengthBytes === 2 ? this.#data.getUint16(item * 2, true) : this.#data.getUint32(item * 4, true);
  }

  #setItem(item: number, lengthBytes: PortBytes, value: number): void {
    if (lengthBytes === 1) this.#data.setUint8(item, value);
    else if (lengthBytes === 2) this.#data.setUint16(item * 2, value, true);
    else this.#data.setUint32(item * 4, value, true);
  }

  #load(gva: bigint, lengthBytes: PortBytes): number {
    return Number(this.#host.processor.memory.read(gva, lengthBytes, accessPrivilege(this.#host.processor)));
  }

  #store(gva: bigint, lengthBytes: PortBytes, value: number): void {
    this.#host.processor.memory.write(gva, lengthBytes, BigInt(value), accessPrivilege(this.#host.processor));
  }
}

const cut = (value: bigint, bits: number): bigint => BigInt.asUintN(bits, value);

/** As a register of the address size is written: 32 bits clear the upper half, 16 leave the rest. */
function replaced(before: bigint, value: bigint, bits: number): bigint {
  return bits === 16 ? (before & ~0xffffn) | cut(value, 16) : cut(value, bits);
}
