/**
 * A vCPU's accesses to its local APIC: the page in xAPIC mode (Intel SDM Vol. 3A §10.4.1 "The Local APIC Block Diagram"),
 * MSRs in x2APIC mode (§10.12.1.2 "x2APIC Register Address Space"), IA32_APIC_BASE.
 *
 * All methods need the lock.
 */
import type { ApicBus } from './apic-bus.ts';
import type { Ioapic } from './ioapic.ts';
import { type LocalApic, NO_VECTOR } from './lapic.ts';
import * as apic from './lapic-registers.ts';
import type { LapicTimer } from './lapic-timer.ts';

export const X2APIC_FIRST_MSR = 0x800;
export const X2APIC_LAST_MSR = 0x8ff;

/** What the instruction comes to: nothing more, or a general-protection fault. */
export type MsrResult = 'ok' | 'gp';

/** Bits of IA32_APIC_BASE below the address that software may not set. */
const APIC_BASE_RESERVED = 0xfffn & ~(apic.APIC_BASE_BSP | apic.APIC_BASE_X2APIC | apic.APIC_BASE_ENABLE);
const APIC_BASE_MODE = apic.APIC_BASE_X2APIC | apic.APIC_BASE_ENABLE;

/** An x2APIC's ICR is one register of 64 bits, and its delivery status is gone. */
const X2APIC_ICR_LOW_RESERVED = 0xffffffff & ~(apic.APIC_WRITABLE.get(apic.APIC_ICR_LOW)! & ~(1 << 12));

export class LapicAccess {
  readonly #lapic: LocalApic;
  readonly #timer: LapicTimer;
  readonly #bus: ApicBus;
  readonly #ioapic: Ioapic;
  readonly #addressMask: bigint;

  constructor(
    lapic: LocalApic,
    timer: LapicTimer,
    bus: ApicBus,
    ioapic: Ioapic,
    physicalAddressBits: number,
  ) {
    this.#lapic = lapic;
    this.#timer = timer;
    this.#bus = bus;
    this.#ioapic = ioapic;
    this.#addressMask = (1n << BigInt(physicalAddressBits)) - 1n;
  }

  /** Reads 1 to 4 bytes of the page; what crosses a register's end reads as ones. */
  readPage(offset: number, sizeBytes: number): number {
    const within = offset & 0xf;
    const mask = sizeBytes >= 4 ? 0xffffffff : 2 ** (8 * sizeBytes) - 1;
    if (within + sizeBytes > 4) return mask;
    const register = offset & ~0xf;
    if (isXapicRegister(register)) return ((this.#read(register) >>> (8 * within)) & mask) >>> 0;
    this.#lapic.recordError(apic.ESR_ILLEGAL_REGISTER);
    return 0;
  }

  /** Only aligned writes of 4 bytes are defined; others do nothing. */
  writePage(offset: number, sizeBytes: number, value: number): void {
    if (sizeBytes !== 4 || (offset & 0xf) !== 0) return;
    if (!isXapicRegister(offset)) this.#lapic.recordError(apic.ESR_ILLEGAL_REGISTER);
    else if (apic.APIC_WRITABLE.has(offset)) this.#write(offset, value & apic.APIC_WRITABLE.get(offset)!);
  }

  /** RDMSR of 800h to 8FFh. */
  readMsr(index: number): bigint | 'gp' {
    const register = this.#x2apicRegister(index);
    if (register === undefined || register === apic.APIC_EOI || register === apic.APIC_SELF_IPI) return 'gp';
    const low = BigInt(this.#read(register));
    return register === apic.APIC_ICR_LOW ? low | (BigInt(this.#read(apic.APIC_ICR_HIGH)) << 32n) : low;
  }

  /** WRMSR of 800h to 8FFh (§10.12.1.3 "Reserved Bit Checking"). */
  writeMsr(index: number, value: bigint): MsrResult {
    const register = this.#x2apicRegister(index);
    if (register === undefined) return 'gp';
    const low = Number(value & 0xffffffffn);
    const high = Number(value >> 32n);
    if (register === apic.APIC_ICR_LOW) return this.#writeX2apicIcr(low, high);
    const writable = apic.APIC_WRITABLE.get(register);
    if (writable === undefined || register === apic.APIC_LDR || high !== 0) return 'gp';
    if ((low & ~(writable | (isLvt(register) ? apic.LVT_READ_ONLY : 0))) !== 0) return 'gp';
    this.#write(register, low & writable);
    return 'ok';
  }

  /** WRMSR of IA32_APIC_BASE (§10.12.5 "x2APIC State Transitions"). */
  writeApicBase(value: bigint): MsrResult {
    const lapic = this.#lapic;
    if ((value & APIC_BASE_RESERVED) !== 0n || (value & ~this.#addressMask) !== 0n) return 'gp';
    const from = lapic.apicBase & APIC_BASE_MODE;
    const to = value & APIC_BASE_MODE;
    if (to === apic.APIC_BASE_X2APIC) return 'gp';
    if (from === 0n && to === APIC_BASE_MODE) return 'gp';
    if (from === APIC_BASE_MODE && to === apic.APIC_BASE_ENABLE) return 'gp';
    lapic.apicBase = value;
    if (from !== to && to === 0n) lapic.resetRegisters();
    if (from !== to && to === APIC_BASE_MODE) lapic.setRegister(apic.APIC_ICR_HIGH, 0);
    return 'ok';
  }

  /** CR8, or the task priority register whole (§10.8.6 "Task Priority in IA-32e Mode"). */
  writeTaskPriority(value: number): void {
    this.#write(apic.APIC_TPR, value & 0xff);
  }

  #x2apicRegister(index: number): number | undefined {
    const offset = (index - X2APIC_FIRST_MSR) << 4;
    return this.#lapic.x2apic && isX2apicRegister(offset) ? offset : undefined;
  }

  #read(register: number): number {
    const lapic = this.#lapic;
    switch (register) {
      case apic.APIC_PPR:
        return lapic.processorPriority;
      case apic.APIC_CURRENT_COUNT:
        return this.#timer.readCount();
      default:
        return lapic.register(register);
    }
  }

  /** `value` has only writable bits. */
  #write(register: number, value: number): void {
    const lapic = this.#lapic;
    switch (register) {
      case apic.APIC_EOI:
        this.#endInterrupt();
        break;
      case apic.APIC_ESR:
        lapic.setRegister(register, lapic.errors);
        lapic.errors = 0;
        break;
      case apic.APIC_DFR:
        lapic.setRegister(register, value | 0x0fffffff);
        break;
      case apic.APIC_SVR:
        this.#writeSpuriousVector(value);
        break;
      case apic.APIC_ICR_LOW:
        lapic.setRegister(register, value & ~apic.LVT_DELIVERY_STATUS);
        this.#bus.sendIpi(lapic, value, lapic.register(apic.APIC_ICR_HIGH) >>> 24);
        break;
      case apic.APIC_SELF_IPI:
        this.#bus.sendIpi(lapic, value | (apic.SHORTHAND_SELF << apic.COMMAND_SHORTHAND_SHIFT), 0);
        break;
      default:
        this.#writeOther(register, value);
    }
  }

  #writeOther(register: number, value: number): void {
    if (isLvt(register)) this.#writeLvt(register, value);
    else if (register === apic.APIC_INITIAL_COUNT) this.#timer.writeInitialCount(value);
    else if (register === apic.APIC_DIVIDE) this.#timer.writeDivide(value);
    else this.#lapic.setRegister(register, value);
    // The task priority, or LINT0, may let an interrupt through now.
    this.#lapic.update();
  }

  #endInterrupt(): void {
    const vector = this.#lapic.endInterrupt();
    if (vector !== NO_VECTOR) this.#ioapic.endInterrupt(vector);
  }

  /** Disabled by software, all LVT entries are masked (§10.4.7.2 "Local APIC State After It Has Been Software Disabled"). */
  #writeSpuriousVector(value: number): void {
    this.#lapic.setRegister(apic.APIC_SVR, value);
    if ((value & apic.SVR_ENABLE) !== 0) return;
    for (const lvt of apic.APIC_LVTS) this.#writeLvt(lvt, this.#lapic.register(lvt));
    this.#lapic.update();
  }

  #writeLvt(register: number, value: number): void {
    const lapic = this.#lapic;
    const masked = (lapic.register(apic.APIC_SVR) & apic.SVR_ENABLE) === 0 ? apic.LVT_MASKED : 0;
    if (register === apic.APIC_LVT_TIMER) this.#timer.writeLvt(value | masked);
    else lapic.setRegister(register, value | masked);
  }

  #writeX2apicIcr(low: number, destination: number): MsrResult {
    if ((low & X2APIC_ICR_LOW_RESERVED) !== 0) return 'gp';
    this.#lapic.setRegister(apic.APIC_ICR_LOW, low);
    this.#lapic.setRegister(apic.APIC_ICR_HIGH, destination);
    this.#bus.sendIpi(this.#lapic, low, destination);
    return 'ok';
  }
}

const XAPIC_READ_ONLY = [
  apic.APIC_ID,
  apic.APIC_VERSION,
  apic.APIC_APR,
  apic.APIC_PPR,
  apic.APIC_CURRENT_COUNT,
];
const XAPIC_REGISTERS: ReadonlySet<number> = new Set([
  ...[...apic.APIC_WRITABLE.keys()].filter((offset) => offset !== apic.APIC_SELF_IPI),
  ...XAPIC_READ_ONLY,
]);

function isXapicRegister(offset: number): boolean {
  return XAPIC_REGISTERS.has(offset) || isVectorWord(offset);
}

/** ISR, TMR and IRR. */
function isVectorWord(offset: number): boolean {
  return offset >= apic.APIC_ISR && offset < apic.APIC_ESR && offset % apic.VECTOR_WORD_STRIDE === 0;
}

/** Table 10-6: without arbitration priority, DFR and the ICR's high half, with SELF IPI. */
function isX2apicRegister(offset: number): boolean {
  if (offset === apic.APIC_APR || offset === apic.APIC_DFR || offset === apic.APIC_ICR_HIGH) return false;
  return offset === apic.APIC_SELF_IPI || isXapicRegister(offset);
}

function isLvt(register: number): boolean {
  return (apic.APIC_LVTS as readonly number[]).includes(register);
}
