/** Resource descriptors, as _CRS gives them (ACPI 6.5 §6.4 "Resource Data Types for ACPI"). */
import { type Aml, buffer } from './aml.ts';
import { type Bytes, joined, u16, u32, u64 } from './bytes.ts';

/** ResourceTemplate () {…}; the checksum of 0 counts as right (§6.4.2.9 "End Tag"). */
export function resourceTemplate(...descriptors: Bytes[]): Aml {
  return buffer(joined(...descriptors, [0x79, 0x00]));
}

/** IO (Decode16, port, port, 1, lengthBytes) (§6.4.2.5 "I/O Port Descriptor"). */
export function ioPorts(port: number, lengthBytes: number): Bytes {
  return joined([0x47, 0x01], u16(port), u16(port), [0x01, lengthBytes]);
}

/** IRQNoFlags () {irq}: edge-triggered, active high, not shared (§6.4.2.1 "IRQ Descriptor"). */
export function irqNoFlags(irq: number): Bytes {
  return joined([0x22], u16(1 << irq));
}

/** Memory32Fixed (ReadWrite, base, length) (§6.4.3.4 "32-Bit Fixed Memory Range Descriptor"). */
export function memory32Fixed(gpa: number, sizeBytes: number): Bytes {
  return joined([0x86], u16(9), [0x01], u32(gpa), u32(sizeBytes));
}

/** A range of addresses that a bridge passes on; both ends included. */
export interface AddressRange {
  readonly first: number;
  readonly last: number;
}

const MEMORY = 0;
const IO = 1;
const BUS_NUMBER = 2;
/** The bridge produces the range, decodes it positively, and both of its ends are fixed. */
const FIXED_PRODUCER = 0x0c;
const MEMORY_READ_WRITE = 0x01;
const MEMORY_CACHEABLE = 0x02;
/** All addresses of the range, not ISA's aliases only. */
const IO_ENTIRE_RANGE = 0x03;

/** WordBusNumber (…) (§6.4.3.5.3 "Word Address Space Descriptor"). */
export function busNumbers(range: AddressRange): Bytes {
  return joined([0x88], u16(13), [BUS_NUMBER, FIXED_PRODUCER, 0], limits(range, u16));
}

/** WordIO (…) (§6.4.3.5.3). */
export function ioWindow(range: AddressRange): Bytes {
  return joined([0x88], u16(13), [IO, FIXED_PRODUCER, IO_ENTIRE_RANGE], limits(range, u16));
}

/** DWordMemory (…), not cacheable (§6.4.3.5.2 "DWord Address Space Descriptor"). */
export function memoryWindow32(range: AddressRange): Bytes {
  return joined([0x87], u16(23), [MEMORY, FIXED_PRODUCER, MEMORY_READ_WRITE], limits(range, u32));
}

/**
 * QWordMemory (…) (§6.4.3.5.1 "QWord Address Space Descriptor"). Cacheable and not prefetchable: operating systems
 * put prefetchable BARs there too, but would put no others into a prefetchable window.
 */
export function memoryWindow64(range: AddressRange): Bytes {
  const flags = MEMORY_READ_WRITE | MEMORY_CACHEABLE;
  return joined([0x8a], u16(43), [MEMORY, FIXED_PRODUCER, flags], limits(range, u64));
}

/** Granularity, minimum, maximum, translation offset, length. */
function limits({ first, last }: AddressRange, encode: (value: number) => number[]): Bytes {
  return joined(...[0, first, last, 0, last - first + 1].map(encode));
}
