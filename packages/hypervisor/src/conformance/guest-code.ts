/** Pieces of guest code that many cases share. */
import { type Assembler, al, byte, dword, eax, qword, type Register, rax, rdx, word } from './assembler.ts';
import { DONE_PORT, IOAPIC, LAPIC, REPORT_PORT } from './guest-layout.ts';

/** Reports a constant; changes EAX. */
export function report(a: Assembler, value: number): void {
  a.mov(eax, value);
  a.out(REPORT_PORT, eax);
}

export function reportEax(a: Assembler): void {
  a.out(REPORT_PORT, eax);
}

/** Reports the low and then the high half; changes RAX. */
export function reportWide(a: Assembler, register: Register): void {
  if (register !== rax) a.mov(rax, register);
  reportEax(a);
  a.shr(rax, 32);
  reportEax(a);
}

/** The 64-bit values of pairs of reports. */
export function wideReports(reports: readonly number[]): bigint[] {
  const values: bigint[] = [];
  for (let i = 0; i + 1 < reports.length; i += 2)
    values.push(BigInt(reports[i]!) | (BigInt(reports[i + 1]!) << 32n));
  return values;
}

/** Ends the guest. */
export function done(a: Assembler): void {
  a.out(DONE_PORT, al);
}

/** Waits for ever, in a loop. */
export function spin(a: Assembler): void {
  const label = `spin at ${a.here}`;
  a.label(label);
  a.pause();
  a.jmp(label);
}

/** Waits for ever, halted between interrupts. */
export function haltForEver(a: Assembler): void {
  const label = `halt at ${a.here}`;
  a.label(label);
  a.hlt();
  a.jmp(label);
}

/** Executes this many times round a loop that does nothing; changes ECX's whole register. */
export function delay(a: Assembler, iterations: number, counter: Register): void {
  const label = `delay at ${a.here}`;
  a.mov(counter, iterations);
  a.label(label);
  a.pause();
  a.dec(counter);
  a.jcc('ne', label);
}

/** Reports its vector, the error code where there is one, and the low half of the saved RIP; ends the guest. */
export function exceptionHandler(a: Assembler, vector: number, { errorCode = false } = {}): void {
  const stackPointer = a.codeBits === 64 ? qword : a.codeBits === 32 ? dword : word;
  a.label(`exception ${vector}`);
  report(a, vector);
  const register = stackPointer === qword ? rax : eax;
  if (errorCode) {
    a.pop(register);
    reportEax(a);
  }
  a.pop(register);
  reportEax(a);
  done(a);
}

// Local APIC registers (Intel SDM Vol. 3A Table 10-1 "Local APIC Register Address Map").
export const APIC_ID = LAPIC + 0x20;
export const APIC_TPR = LAPIC + 0x80;
export const APIC_EOI = LAPIC + 0xb0;
export const APIC_SPURIOUS = LAPIC + 0xf0;
export const APIC_ISR = LAPIC + 0x100;
export const APIC_IRR = LAPIC + 0x200;
export const APIC_ICR_LOW = LAPIC + 0x300;
export const APIC_ICR_HIGH = LAPIC + 0x310;
export const APIC_LVT_TIMER = LAPIC + 0x320;
export const APIC_LVT_LINT0 = LAPIC + 0x350;
export const APIC_INITIAL_COUNT = LAPIC + 0x380;
export const APIC_CURRENT_COUNT = LAPIC + 0x390;
export const APIC_DIVIDE = LAPIC + 0x3e0;

/** Delivery mode ExtINT, not masked: the PIC's interrupts come in at LINT0. */
const LVT_EXTINT = 0x700;
const SPURIOUS_VECTOR = 0xff;
const APIC_SOFTWARE_ENABLE = 0x100;

export function enableLapic(a: Assembler): void {
  a.mov(dword(APIC_SPURIOUS), APIC_SOFTWARE_ENABLE | SPURIOUS_VECTOR);
  a.mov(dword(APIC_LVT_LINT0), LVT_EXTINT);
}

export function lapicEoi(a: Assembler): void {
  a.mov(dword(APIC_EOI), 0);
}

/** I/O APIC redirection table entry (Intel 82093AA data sheet §3.2.4 "IOREDTBL"). */
export const IOAPIC_LEVEL = 1 << 15;
export const IOAPIC_MASKED = 1 << 16;

/** Routes a pin to vCPU 0, or another, with the given low half; changes nothing else. */
export function routeIoapicPin(a: Assembler, pin: number, low: number, apicId = 0): void {
  a.mov(dword(IOAPIC), 0x11 + 2 * pin);
  a.mov(dword(IOAPIC + 0x10), apicId << 24);
  a.mov(dword(IOAPIC), 0x10 + 2 * pin);
  a.mov(dword(IOAPIC + 0x10), low);
}

export const PIC_MASTER = 0x20;
export const PIC_SLAVE = 0xa0;
export const PIC_MASTER_BASE = 0x20;
export const PIC_SLAVE_BASE = 0x28;

export function outByte(a: Assembler, port: number, value: number): void {
  a.mov(al, value);
  a.out(port, al);
}

/** Programs both 8259As, edge-triggered, with these masks (Intel 8259A data sheet, "Initialization Command Words"). */
export function initPics(a: Assembler, masterMask: number, slaveMask = 0xff): void {
  for (const [port, base, cascade] of [
    [PIC_MASTER, PIC_MASTER_BASE, 4],
    [PIC_SLAVE, PIC_SLAVE_BASE, 2],
  ] as const) {
    outByte(a, port, 0x11); // ICW1: cascaded, with ICW4
    outByte(a, port + 1, base);
    outByte(a, port + 1, cascade);
    outByte(a, port + 1, 1); // ICW4: 8086 mode
  }
  outByte(a, PIC_MASTER + 1, masterMask);
  outByte(a, PIC_SLAVE + 1, slaveMask);
}

/** Non-specific end of interrupt. */
export function picEoi(a: Assembler, port = PIC_MASTER): void {
  outByte(a, port, 0x20);
}

/** Writes EDX:EAX to the MSR in ECX. */
export function writeMsr(a: Assembler, index: number, value: bigint, ecx: Register, edx: Register): void {
  a.mov(ecx, index);
  a.mov(eax, Number(value & 0xffffffffn));
  a.mov(edx, Number(value >> 32n));
  a.wrmsr();
}

/** RAX ← EDX:EAX. */
export function joinEdxEax(a: Assembler): void {
  a.shl(rdx, 32);
  a.or(rax, rdx);
}

/** Counts in memory, one byte. */
export function countAt(a: Assembler, address: number): void {
  a.inc(byte(address));
}

/** One round of xorshift with 64 bits, which no number but 0 stays the same in; `scratch` is overwritten. */
export function xorshift(a: Assembler, value: Register, scratch: Register): void {
  for (const [direction, count] of [
    ['shl', 13],
    ['shr', 7],
    ['shl', 17],
  ] as const) {
    a.mov(scratch, value);
    a[direction](scratch, count);
    a.xor(value, scratch);
  }
}
