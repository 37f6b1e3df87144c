/**
 * The state of the boot vCPU at the kernel's entry, as each protocol defines it: PVH (Xen, "x86/HVM direct boot
 * ABI", "Early CPU state") or the 64-bit entry (Linux x86 boot protocol §1.15 "64-bit Boot Protocol").
 */
import {
  GENERAL_REGISTER_NAMES,
  type GeneralRegisters,
  type Segment,
  type SpecialRegisters,
} from '@vireo/hypervisor';
import {
  BOOT_CS_SELECTOR,
  BOOT_DS_SELECTOR,
  BOOT_TSS_SELECTOR,
  GDT_GPA,
  GDT_LIMIT,
  PML4_GPA,
} from './boot-data.ts';

/** Bit 1 of EFLAGS is always set; interrupts are off (Intel SDM Vol. 1 §3.4.3 "EFLAGS Register"). */
const RFLAGS_RESERVED = 1n << 1n;
/** Intel SDM Vol. 3A §2.5 "Control Registers". */
const CR0_PE = 1n << 0n;
const CR0_ET = 1n << 4n;
const CR0_PG = 1n << 31n;
const CR4_PAE = 1n << 5n;
/** Intel SDM Vol. 3A §2.2.1 "Extended Feature Enable Register". */
const EFER_LME = 1n << 8n;
const EFER_LMA = 1n << 10n;
/** After reset: the page at 0xFEE00000, enabled, the boot processor's (Intel SDM Vol. 3A §10.4.4 "Local APIC Status and Location"). */
const APIC_BASE_RESET = 0xfee00900n;

const TYPE_DATA_READ_WRITE_ACCESSED = 0x3;
const TYPE_CODE_READ_ACCESSED = 0xb;
const TYPE_TSS_BUSY = 0xb;
const TYPE_LDT = 0x2;

export interface KernelEntry {
  readonly protocol: 'pvh' | 'linux64';
  /** Address of the first instruction. */
  readonly entryGpa: number;
  /** PVH's start info (EBX) or the zero page (RSI). */
  readonly bootInfoGpa: number;
}

export interface InitialRegisters {
  readonly registers: GeneralRegisters;
  readonly special: SpecialRegisters;
}

export function initialRegisters(entry: KernelEntry): InitialRegisters {
  const registers = {} as GeneralRegisters;
  for (const name of GENERAL_REGISTER_NAMES) registers[name] = 0n;
  registers.rip = BigInt(entry.entryGpa);
  registers.rflags = RFLAGS_RESERVED;
  registers[entry.protocol === 'pvh' ? 'rbx' : 'rsi'] = BigInt(entry.bootInfoGpa);
  return { registers, special: entry.protocol === 'pvh' ? protectedMode() : longMode() };
}

/** 32-bit protected mode, flat segments, no paging. */
function protectedMode(): SpecialRegisters {
  return {
    ...flatSegments({ long: false }),
    cr0: CR0_PE | CR0_ET,
    cr2: 0n,
    cr3: 0n,
    cr4: 0n,
    cr8: 0n,
    efer: 0n,
    apicBase: APIC_BASE_RESET,
  };
}

/** 64-bit mode on the identity map. */
function longMode(): SpecialRegisters {
  return {
    ...flatSegments({ long: true }),
    cr0: CR0_PE | CR0_ET | CR0_PG,
    cr2: 0n,
    cr3: BigInt(PML4_GPA),
    cr4: CR4_PAE,
    cr8: 0n,
    efer: EFER_LME | EFER_LMA,
    apicBase: APIC_BASE_RESET,
  };
}

function flatSegments({ long }: { long: boolean }) {
  const data = flat(BOOT_DS_SELECTOR, TYPE_DATA_READ_WRITE_ACCESSED);
  return {
    cs: { ...flat(BOOT_CS_SELECTOR, TYPE_CODE_READ_ACCESSED), long, defaultBig: !long },
    ds: { ...data },
    es: { ...data },
    fs: { ...data },
    gs: { ...data },
    ss: { ...data },
    tr: system(BOOT_TSS_SELECTOR, TYPE_TSS_BUSY, 0x67),
    ldt: { ...system(0, TYPE_LDT, 0), present: false, unusable: true },
    gdt: { base: BigInt(GDT_GPA), limit: GDT_LIMIT },
    idt: { base: 0n, limit: 0 },
  };
}

/** A 4 GiB segment at 0. */
function flat(selector: number, type: number): Segment {
  return {
    selector,
    base: 0n,
    limit: 0xffffffff,
    type,
    nonSystem: true,
    dpl: 0,
    present: true,
    available: false,
    long: false,
    defaultBig: true,
    granularity: true,
    unusable: false,
  };
}

function system(selector: number, type: number, limit: number): Segment {
  return {
    ...flat(selector, type),
    limit,
    nonSystem: false,
    defaultBig: false,
    granularity: false,
  };
}
