/** Control registers (Intel SDM Vol. 2B "MOV—Move to/from Control Registers", Vol. 3A §2.5 "Control Registers"). PAE's PDPTEs are not kept: paging reads them. */
import { CR4, supportedCr4 } from './cr4-bits.ts';
import { generalProtection, undefinedOpcode } from './guest-fault.ts';
import { requireSupervisor, requireUserModeInstructions } from './privilege-checks.ts';
import { is64BitMode } from './processor.ts';
import type { Operation, Operations, SystemProcessor } from './system-processor.ts';

export const CR0 = {
  PE: 1n << 0n,
  MP: 1n << 1n,
  EM: 1n << 2n,
  TS: 1n << 3n,
  ET: 1n << 4n,
  NE: 1n << 5n,
  WP: 1n << 16n,
  AM: 1n << 18n,
  NW: 1n << 29n,
  CD: 1n << 30n,
  PG: 1n << 31n,
} as const;
export const EFER = { SCE: 1n << 0n, LME: 1n << 8n, LMA: 1n << 10n } as const;

/** ET is always set; the others stay clear whatever is written. */
const CR0_WRITABLE = 0xe005_002fn;
const MACHINE_STATUS = CR0.PE | CR0.MP | CR0.EM | CR0.TS;
const CR3_KEEPS_TRANSLATIONS = 1n << 63n;
const CR3_PCID = 0xfffn;
const CR8_WRITABLE = 15n;
/** What translations depend on. */
const CR0_PAGING = CR0.PE | CR0.PG | CR0.WP;
const CR4_PAGING = CR4.PSE | CR4.PAE | CR4.PGE | CR4.PCIDE | CR4.SMEP | CR4.SMAP;
const TSS_16_BIT: readonly number[] = [1, 3];

type Name = 'cr0' | 'cr2' | 'cr3' | 'cr4' | 'cr8';
const NAMES: Readonly<Record<number, Name>> = { 0: 'cr0', 2: 'cr2', 3: 'cr3', 4: 'cr4', 8: 'cr8' };

const WRITERS: Readonly<Record<Name, (processor: SystemProcessor, value: bigint) => void>> = {
  cr0: writeCr0,
  cr2({ special }, value) {
    special.cr2 = value;
  },
  cr3: writeCr3,
  cr4: writeCr4,
  cr8({ special }, value) {
    if (value > CR8_WRITABLE) throw generalProtection();
    special.cr8 = value;
  },
};

function nameOf(number: bigint): Name {
  const name = NAMES[Number(number)];
  if (name === undefined) throw undefinedOpcode();
  return name;
}

const readControlRegister: Operation = (processor, { a }) => {
  const name = nameOf(a);
  requireSupervisor(processor);
  return processor.special[name];
};

const writeControlRegister: Operation = (processor, { a, b }) => {
  const name = nameOf(a);
  requireSupervisor(processor);
  WRITERS[name](processor, b);
};

/** Entering and leaving protected mode, paging and IA-32e mode (Intel SDM Vol. 3A §9.8.5 "Initializing IA-32e Mode"). */
export function writeCr0(processor: SystemProcessor, value: bigint): void {
  if (value >> 32n !== 0n) throw generalProtection();
  const { special } = processor;
  const cr0 = (value & CR0_WRITABLE) | CR0.ET;
  const has = (bit: bigint) => (cr0 & bit) !== 0n;
  if ((has(CR0.PG) && !has(CR0.PE)) || (has(CR0.NW) && !has(CR0.CD))) throw generalProtection();
  const changed = cr0 ^ special.cr0;
  if ((changed & CR0.PG) !== 0n) {
    if (has(CR0.PG)) checkPagingOn(processor);
    else checkPagingOff(processor);
    const isLong = has(CR0.PG) && (special.efer & EFER.LME) !== 0n;
    special.efer = isLong ? special.efer | EFER.LMA : special.efer & ~EFER.LMA;
  }
  special.cr0 = cr0;
  if ((changed & CR0_PAGING) !== 0n) processor.invalidateTranslations('all');
}

function checkPagingOn({ special }: SystemProcessor): void {
  if ((special.efer & EFER.LME) === 0n) return;
  const isPossible = (special.cr4 & CR4.PAE) !== 0n && !special.cs.long;
  if (!isPossible || TSS_16_BIT.includes(special.tr.type)) throw generalProtection();
}

function checkPagingOff(processor: SystemProcessor): void {
  if (is64BitMode(processor) || (processor.special.cr4 & CR4.PCIDE) !== 0n) throw generalProtection();
}

/** A processor need not keep translations for the PCID that bit 63 asks it to (Intel SDM Vol. 3A §4.10.4.1 "Operations that Invalidate TLBs and Paging-Structure Caches"). */
function writeCr3(processor: SystemProcessor, value: bigint): void {
  const { special } = processor;
  const cr3 = (special.cr4 & CR4.PCIDE) !== 0n ? value & ~CR3_KEEPS_TRANSLATIONS : value;
  // The width of physical addresses is asked for only where it can matter: this is on the path of every context switch.
  if (cr3 >> 32n !== 0n && cr3 >> BigInt(physicalBits(processor)) !== 0n) throw generalProtection();
  special.cr3 = cr3;
  processor.invalidateTranslations('non-global');
}

const physicalBits = (processor: SystemProcessor): number => processor.cpuid(0x8000_0008, 0).eax & 0xff;

function writeCr4(processor: SystemProcessor, value: bigint): void {
  const { special } = processor;
  const changed = value ^ special.cr4;
  const set = value & changed;
  if (set !== 0n && (set & ~supportedCr4(processor)) !== 0n) throw generalProtection();
  const isLong = (special.efer & EFER.LMA) !== 0n;
  if (isLong && (value & CR4.PAE) === 0n) throw generalProtection();
  const hasPcid = (special.cr3 & CR3_PCID) !== 0n;
  if ((set & CR4.PCIDE) !== 0n && (!isLong || hasPcid)) throw generalProtection();
  special.cr4 = value;
  if ((changed & CR4_PAGING) !== 0n) processor.invalidateTranslations('all');
}

/** Intel SDM Vol. 2A "LMSW—Load Machine Status Word": PE can be set, not cleared. */
const loadMachineStatus: Operation = (processor, { a }) => {
  requireSupervisor(processor);
  const { cr0 } = processor.special;
  writeCr0(processor, (cr0 & ~MACHINE_STATUS) | (a & MACHINE_STATUS) | (cr0 & CR0.PE));
};

/** Intel SDM Vol. 2B "SMSW—Store Machine Status Word". */
const storeMachineStatus: Operation = (processor) => {
  requireUserModeInstructions(processor);
  return processor.special.cr0;
};

/** Intel SDM Vol. 2A "CLTS—Clear Task-Switched Flag in CR0". */
const clearTaskSwitched: Operation = (processor) => {
  requireSupervisor(processor);
  processor.special.cr0 &= ~CR0.TS;
};

export const CONTROL_REGISTERS = {
  readControlRegister,
  writeControlRegister,
  ...{ clearTaskSwitched, storeMachineStatus, loadMachineStatus },
} satisfies Partial<Operations>;
