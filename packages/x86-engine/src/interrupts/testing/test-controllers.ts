/** Controllers of a VM whose time stands still until a test moves it. */
import { InterruptControllers } from '../interrupt-controllers.ts';
import { APIC_EOI, APIC_LVT_LINT0, APIC_SVR } from '../lapic-registers.ts';

/** Nanoseconds; the TSC counts two for each. */
export class TestClock {
  nowNs = 1_000_000n;
  readonly tscKhz = 2_000_000;
  readonly tscOffsets = new Map<number, bigint>();

  now(): bigint {
    return this.nowNs;
  }

  readTsc(apicId: number): bigint {
    return this.nowNs * 2n + (this.tscOffsets.get(apicId) ?? 0n);
  }
}

/** How firmware that enables a local APIC writes its spurious vector register. */
export const SOFTWARE_ENABLED = 0x1ff;

export class TestMachine {
  readonly clock = new TestClock();
  readonly controllers: InterruptControllers;
  readonly vcpus: number;

  constructor(vcpus = 1) {
    this.vcpus = vcpus;
    const buffer = new SharedArrayBuffer(InterruptControllers.sizeBytes(vcpus) + 64);
    // Not at the buffer's start: nothing may rely on that.
    this.controllers = new InterruptControllers({
      buffer,
      byteOffset: 64,
      vcpus,
      clock: this.clock,
      physicalAddressBits: 40,
    });
    this.controllers.initialise();
  }

  /** With all local APICs enabled by software; LINT0 of the first is ExtINT. */
  static enabled(vcpus = 1): TestMachine {
    const machine = new TestMachine(vcpus);
    for (let id = 0; id < vcpus; id++) machine.write(APIC_SVR, SOFTWARE_ENABLED, id);
    machine.write(APIC_LVT_LINT0, 0x700);
    return machine;
  }

  /** With all of them in x2APIC mode, too. */
  static x2apic(vcpus = 1): TestMachine {
    const machine = TestMachine.enabled(vcpus);
    for (let id = 0; id < vcpus; id++) machine.enableX2apic(id);
    return machine;
  }

  enableX2apic(id = 0): void {
    const vcpu = this.vcpu(id);
    vcpu.writeApicBase(vcpu.apicBase | 0x400n);
  }

  vcpu(id = 0) {
    return this.controllers.vcpu(id);
  }

  read(offset: number, id = 0): number {
    return this.vcpu(id).readPage(offset, 4);
  }

  write(offset: number, value: number, id = 0): void {
    this.vcpu(id).writePage(offset, 4, value);
  }

  endInterrupt(id = 0): void {
    this.write(APIC_EOI, 0, id);
  }

  /** The vectors that vCPUs take now, in order, each ended; by vCPU. */
  takeAll(): number[][] {
    return Array.from({ length: this.vcpus }, (_, id) => this.take(id));
  }

  take(id = 0): number[] {
    const vectors: number[] = [];
    for (;;) {
      const vector = this.vcpu(id).acknowledge();
      if (vector < 0) return vectors;
      vectors.push(vector);
      const x2apic = this.vcpu(id).pageGpa === undefined;
      if (x2apic) this.vcpu(id).writeMsr(0x80b, 0n);
      else this.endInterrupt(id);
    }
  }

  /** A message to one vCPU, edge-triggered and fixed if `bits` say nothing else. */
  message(vector: number, id = 0, bits = 0): boolean {
    return this.controllers.signalMsi({ address: 0xfee00000n | (BigInt(id) << 12n), data: vector | bits });
  }

  /** An entry of the I/O APIC's table, low half last, as kernels write it. */
  route(pin: number, low: number, destination = 0): void {
    this.writeIoapic(0x11 + 2 * pin, (destination << 24) >>> 0);
    this.writeIoapic(0x10 + 2 * pin, low);
  }

  readIoapic(index: number): number {
    this.controllers.writeIoapic(0, 4, index);
    return this.controllers.readIoapic(0x10, 4);
  }

  writeIoapic(index: number, value: number): void {
    this.controllers.writeIoapic(0, 4, index);
    this.controllers.writeIoapic(0x10, 4, value);
  }

  pulse(gsi: number): void {
    this.controllers.setIrqLine(gsi, true);
    this.controllers.setIrqLine(gsi, false);
  }

  inp(port: number): number {
    return this.controllers.readPort(port, 1);
  }

  out(port: number, ...values: number[]): void {
    for (const value of values) this.controllers.writePort(port, 1, value);
  }

  /** ICW1 to ICW4 of both 8259As, vectors from 20h and 28h; then their masks. */
  initPics(masterMask = 0, slaveMask = 0, icw4 = 1): void {
    this.out(0x20, 0x11);
    this.out(0x21, 0x20, 4, icw4);
    this.out(0xa0, 0x11);
    this.out(0xa1, 0x28, 2, icw4);
    this.out(0x21, masterMask);
    this.out(0xa1, slaveMask);
  }

  /** Lets time pass, and everything expire that is due by then, in order. */
  advance(nanoseconds: bigint): void {
    const end = this.clock.nowNs + nanoseconds;
    for (;;) {
      const next = this.nextDeadline();
      if (next > end) break;
      if (next > this.clock.nowNs) this.clock.nowNs = next;
      this.expire();
    }
    this.clock.nowNs = end;
    this.expire();
  }

  expire(): void {
    this.controllers.expirePit(this.clock.nowNs);
    for (let id = 0; id < this.vcpus; id++) this.vcpu(id).expire(this.clock.nowNs);
  }

  nextDeadline(): bigint {
    let next = this.controllers.pitDeadlineNs;
    for (let id = 0; id < this.vcpus; id++) {
      const deadline = this.vcpu(id).nextDeadlineNs;
      if (deadline < next) next = deadline;
    }
    return next;
  }
}
