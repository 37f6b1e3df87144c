/**
 * Where things are in a guest of the suite, and the three modes it may start in: real mode, flat protected mode
 * without paging, and 64-bit mode with the first 4 GiB mapped onto themselves (Intel SDM Vol. 3A §3.4.5 "Segment
 * Descriptors", §4.5 "4-Level Paging and 5-Level Paging", §6.11 "IDT Descriptors").
 */
import type { GuestMemory } from '@vireo/guest-memory';
import type { Segment, SpecialRegisters } from '../vcpu-state.ts';
import type { CodeBits } from './assembler.ts';

export type GuestMode = 'real' | 'protected' | 'long';

export const CODE_BITS: Record<GuestMode, CodeBits> = { real: 16, protected: 32, long: 64 };

/** All of it below 512 KiB, so that real mode reaches both RAM and, from there on, MMIO. */
export const RAM_BYTES = 0x80000;
export const GDT = 0x1000;
export const IDT = 0x2000;
export const TSS = 0x3000;
/** Of privilege level 3; the TSS leads to `STACK_TOP` from there. */
export const USER_STACK_TOP = 0x5000;
export const STACK_TOP = 0x7ff0;
export const CODE = 0x8000;
/** For the case's own use, 64 KiB. */
export const DATA = 0x10000;
export const PML4 = 0x20000;
export const PDPT = 0x21000;
/** Four page directories of 2 MiB pages: 4 GiB. */
export const PAGE_DIRECTORIES = 0x22000;
/** For the case's own page tables and data: to the end of RAM. */
export const SPARE = 0x30000;
/** Backed by nothing, reachable from every mode. */
export const MMIO = 0xa0000;

export const LAPIC = 0xfee00000;
export const IOAPIC = 0xfec00000;

/** Port that a guest writes 32-bit values to for the case to see. */
export const REPORT_PORT = 0xf0;
/** Port that ends the guest. */
export const DONE_PORT = 0xf4;

export const SELECTORS = {
  code32: 0x08,
  data: 0x10,
  code64: 0x18,
  userData: 0x20 | 3,
  /** Where SYSRET finds it: 16 bytes after the selector in STAR (0x18). */
  userCode64: 0x28 | 3,
  tss: 0x30,
  code16: 0x40,
  data16: 0x48,
  userCode32: 0x50 | 3,
  /** 4 KiB at `DATA`, byte-granular. */
  small: 0x58,
  /** Not present. */
  absent: 0x60,
  /** For the case's own descriptors, from here to the end of the table. */
  free: 0x68,
} as const;

const GDT_BYTES = 0x100;
const IDT_BYTES = 0x1000;
const TSS_LIMIT = 0x67;
export const CODE_TYPE = 0xb; // execute, read, accessed
export const DATA_TYPE = 3; // read, write, accessed
const BUSY_TSS = 0xb;

export interface SegmentShape {
  readonly selector: number;
  readonly type: number;
  readonly base?: number;
  readonly limit?: number;
  readonly dpl?: number;
  readonly size?: 16 | 32 | 64;
  readonly system?: boolean;
  readonly present?: boolean;
}

export function segment(shape: SegmentShape): Segment {
  const { selector, type, base = 0, limit = 0xffffffff, dpl = 0, size = 32 } = shape;
  return {
    selector,
    base: BigInt(base),
    limit,
    type,
    nonSystem: !(shape.system ?? false),
    dpl,
    present: shape.present ?? true,
    available: false,
    long: size === 64,
    defaultBig: size === 32,
    granularity: limit > 0xfffff,
    unusable: false,
  };
}

const GDT_SEGMENTS: readonly Segment[] = [
  segment({ selector: SELECTORS.code32, type: CODE_TYPE }),
  segment({ selector: SELECTORS.data, type: DATA_TYPE }),
  segment({ selector: SELECTORS.code64, type: CODE_TYPE, size: 64 }),
  segment({ selector: SELECTORS.userData, type: DATA_TYPE, dpl: 3 }),
  segment({ selector: SELECTORS.userCode64, type: CODE_TYPE, dpl: 3, size: 64 }),
  // Available, for guests that load it themselves.
  segment({ selector: SELECTORS.tss, type: 9, base: TSS, limit: TSS_LIMIT, system: true, size: 16 }),
  segment({ selector: SELECTORS.code16, type: CODE_TYPE, limit: 0xffff, size: 16 }),
  segment({ selector: SELECTORS.data16, type: DATA_TYPE, limit: 0xffff, size: 16 }),
  segment({ selector: SELECTORS.userCode32, type: CODE_TYPE, dpl: 3 }),
  segment({ selector: SELECTORS.small, type: DATA_TYPE, base: DATA, limit: 0xfff }),
  segment({ selector: SELECTORS.absent, type: DATA_TYPE, present: false }),
];

/** The 8 bytes of a descriptor in a table. */
export function descriptor(it: Segment): bigint {
  const limit = BigInt(it.granularity ? Math.floor(it.limit / 4096) : it.limit);
  const access = it.type | (Number(it.nonSystem) << 4) | (it.dpl << 5) | (Number(it.present) << 7);
  const flags = (Number(it.long) << 1) | (Number(it.defaultBig) << 2) | (Number(it.granularity) << 3);
  return (
    (limit & 0xffffn) |
    ((it.base & 0xffffffn) << 16n) |
    (BigInt(access) << 40n) |
    ((limit >> 16n) << 48n) |
    (BigInt(flags) << 52n) |
    (((it.base >> 24n) & 0xffn) << 56n)
  );
}

/** Writes the GDT, the TSS and the page tables; the IDT stays empty. */
export function writeTables(memory: GuestMemory, mode: GuestMode): void {
  for (const it of GDT_SEGMENTS) memory.writeU64(GDT + (it.selector & ~7), descriptor(it));
  if (mode === 'long') {
    memory.writeU64(TSS + 4, BigInt(STACK_TOP)); // RSP0
  } else {
    memory.writeU32(TSS + 4, STACK_TOP); // ESP0
    memory.writeU32(TSS + 8, SELECTORS.data); // SS0
  }
  // The I/O map starts beyond the limit: no ports for privilege level 3.
  memory.writeU16(TSS + 0x66, TSS_LIMIT + 1);
  memory.writeU64(PML4, BigInt(PDPT | 7));
  for (let gib = 0; gib < 4; gib++)
    memory.writeU64(PDPT + gib * 8, BigInt((PAGE_DIRECTORIES + gib * 4096) | 7));
  for (let page = 0; page < 2048; page++)
    memory.writeU64(PAGE_DIRECTORIES + page * 8, BigInt(page) * 0x200000n + 0x87n);
}

/** An interrupt gate in the IDT, or in real mode an entry of the interrupt vector table at 0. */
export function writeGate(
  memory: GuestMemory,
  mode: GuestMode,
  vector: number,
  address: number,
  dpl = 0,
): void {
  if (mode === 'real') {
    memory.writeU16(vector * 4, address);
    memory.writeU16(vector * 4 + 2, 0);
    return;
  }
  const selector = mode === 'long' ? SELECTORS.code64 : SELECTORS.code32;
  const gate = IDT + vector * (mode === 'long' ? 16 : 8);
  memory.writeU16(gate, address & 0xffff);
  memory.writeU16(gate + 2, selector);
  memory.writeU16(gate + 4, 0x8e00 | (dpl << 13));
  memory.writeU16(gate + 6, address >>> 16);
}

/** The special registers of a mode, on top of what the vCPU has after its reset. */
export function specialRegisters(mode: GuestMode, reset: SpecialRegisters): SpecialRegisters {
  if (mode === 'real') return realMode(reset);
  const long = mode === 'long';
  const cs = segment({
    selector: long ? SELECTORS.code64 : SELECTORS.code32,
    type: CODE_TYPE,
    size: long ? 64 : 32,
  });
  const data = segment({ selector: SELECTORS.data, type: DATA_TYPE });
  return {
    ...reset,
    cs,
    ...{ ds: data, es: data, fs: data, gs: data, ss: data },
    tr: segment({
      selector: SELECTORS.tss,
      type: BUSY_TSS,
      base: TSS,
      limit: TSS_LIMIT,
      system: true,
      size: 16,
    }),
    gdt: { base: BigInt(GDT), limit: GDT_BYTES - 1 },
    idt: { base: BigInt(IDT), limit: IDT_BYTES - 1 },
    cr0: long ? 0x80000031n : 0x31n, // PG where long; NE, ET, PE
    cr3: long ? BigInt(PML4) : 0n,
    cr4: long ? 0x20n : 0n, // PAE
    efer: long ? 0x500n : 0n, // LMA, LME
  };
}

function realMode(reset: SpecialRegisters): SpecialRegisters {
  const code = segment({ selector: 0, type: CODE_TYPE, limit: 0xffff, size: 16 });
  const data = segment({ selector: 0, type: DATA_TYPE, limit: 0xffff, size: 16 });
  return {
    ...reset,
    cs: code,
    ...{ ds: data, es: data, fs: data, gs: data, ss: data },
    idt: { base: 0n, limit: 0x3ff },
  };
}
