/** Devices inside the accelerator: the local APIC's page, the I/O APIC, and the ports of the PICs and the PIT. */
import { InterruptControllers } from '../interrupts/interrupt-controllers.ts';
import { IOAPIC_GPA } from '../interrupts/ioapic.ts';
import type { VcpuInterrupts } from '../interrupts/vcpu-interrupts.ts';
import type { InnerDevices } from '../memory/device-access.ts';
import type { InnerPorts } from './port-access.ts';

const PAGE_BYTES = 4096;

export class InnerBus implements InnerDevices {
  readonly #interrupts: VcpuInterrupts | null;
  readonly #controllers: InterruptControllers | null;

  constructor(interrupts: VcpuInterrupts | null, controllers: InterruptControllers | null) {
    this.#interrupts = interrupts;
    this.#controllers = controllers;
  }

  read(gpa: number, lengthBytes: number): bigint | undefined {
    const apic = this.#apicOffset(gpa);
    if (apic !== undefined)
      return wide(lengthBytes, (at, size) => this.#interrupts!.readPage(apic + at, size));
    const ioapic = this.#ioapicOffset(gpa);
    if (ioapic === undefined) return undefined;
    return wide(lengthBytes, (at, size) => this.#controllers!.readIoapic(ioapic + at, size));
  }

  write(gpa: number, lengthBytes: number, value: bigint): boolean {
    const apic = this.#apicOffset(gpa);
    const low = Number(value & 0xffff_ffffn);
    const sizeBytes = Math.min(lengthBytes, 4);
    if (apic !== undefined) {
      this.#interrupts!.writePage(apic, sizeBytes, low);
      return true;
    }
    const ioapic = this.#ioapicOffset(gpa);
    if (ioapic === undefined) return false;
    this.#controllers!.writeIoapic(ioapic, sizeBytes, low);
    return true;
  }

  #apicOffset(gpa: number): number | undefined {
    const page = this.#interrupts?.pageGpa;
    return page !== undefined && Number(page) === gpa - (gpa % PAGE_BYTES) ? gpa % PAGE_BYTES : undefined;
  }

  #ioapicOffset(gpa: number): number | undefined {
    return this.#controllers !== null && InterruptControllers.isIoapic(gpa) ? gpa - IOAPIC_GPA : undefined;
  }
}

/** Registers have 32 bits: wider accesses are several. */
function wide(lengthBytes: number, read: (at: number, sizeBytes: number) => number): bigint {
  let value = 0n;
  for (let at = 0; at < lengthBytes; at += 4)
    value |= BigInt(read(at, Math.min(4, lengthBytes - at)) >>> 0) << BigInt(at * 8);
  return value;
}

export class InnerPortBus implements InnerPorts {
  readonly #controllers: InterruptControllers | null;

  constructor(controllers: InterruptControllers | null) {
    this.#controllers = controllers;
  }

  has(port: number): boolean {
    return this.#controllers !== null && InterruptControllers.hasPort(port);
  }

  read(port: number, lengthBytes: number): number {
    return this.#controllers!.readPort(port, lengthBytes);
  }

  /** vCPU 0 sleeps until the PIT's next edge, which this may have moved. */
  write(port: number, lengthBytes: number, value: number): void {
    const before = this.#controllers!.pitDeadlineNs;
    this.#controllers!.writePort(port, lengthBytes, value);
    if (this.#controllers!.pitDeadlineNs !== before) this.#controllers!.vcpu(0).wake();
  }
}
