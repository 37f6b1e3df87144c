/**
 * A region of linear addresses with page tables of its own at every level, for cases of paging in 64-bit mode (Intel SDM
 * Vol. 3A §4.5 "4-Level Paging and 5-Level Paging").
 */
import { type Assembler, cr0, cr2, cr4, eax, ecx, rax } from '../assembler.ts';
import { done, reportEax, reportWide } from '../guest-code.ts';
import { PAGE_DIRECTORIES, PML4, SPARE } from '../guest-layout.ts';
import type { Machine } from '../machine.ts';

/** Entry 1 of the PML4, and entry 0 of each table below. */
export const REGION = 2 ** 39;

export const PRESENT = 1n;
export const WRITABLE = 2n;
export const USER = 4n;
export const ACCESSED = 0x20n;
export const DIRTY = 0x40n;
export const LARGE = 0x80n;
export const GLOBAL = 0x100n;
export const NO_EXECUTE = 1n << 63n;
export const ALL_RIGHTS = PRESENT | WRITABLE | USER;

// Error code of a page fault (Intel SDM Vol. 3A §4.7 "Page-Fault Exceptions").
export const PROTECTION = 1;
export const WRITE = 2;
export const FROM_USER = 4;
export const RESERVED = 8;
export const FETCH = 16;

export const CR0_WP = 1 << 16;
export const CR4_PGE = 1 << 7;
export const CR4_SMEP = 1 << 20;
export const CR4_SMAP = 1 << 21;
const EFER = 0xc0000080;
const EFER_NXE = 1 << 11;

export type Level = 'PML4' | 'PDPT' | 'directory' | 'table';

export const LEVELS: readonly Level[] = ['PML4', 'PDPT', 'directory', 'table'];

/** Where the region's entry of each level is. */
export const ENTRY_AT: Readonly<Record<Level, number>> = {
  PML4: PML4 + 8,
  PDPT: SPARE,
  directory: SPARE + 0x1000,
  table: SPARE + 0x2000,
};

/** The entries that lead to one page at `gpa` with every right. */
export function entriesTo(gpa: number): Record<Level, bigint> {
  return {
    PML4: BigInt(ENTRY_AT.PDPT) | ALL_RIGHTS,
    PDPT: BigInt(ENTRY_AT.directory) | ALL_RIGHTS,
    directory: BigInt(ENTRY_AT.table) | ALL_RIGHTS,
    table: BigInt(gpa) | ALL_RIGHTS,
  };
}

export function mapRegion(machine: Machine, entries: Readonly<Record<Level, bigint>>): void {
  for (const level of LEVELS) machine.memory.writeU64(ENTRY_AT[level], entries[level]);
}

/** The guest's own code, stack and data become the supervisor's: SMEP and SMAP let it go on. */
export function mapLowMemoryForSupervisor(machine: Machine): void {
  machine.memory.writeU64(PAGE_DIRECTORIES, PRESENT | WRITABLE | LARGE);
}

/** Reports the error code and CR2 of a page fault; ends the guest. */
export function pageFaultHandler(a: Assembler): void {
  a.label('page fault');
  a.pop(rax);
  reportEax(a);
  a.mov(rax, cr2);
  reportWide(a, rax);
  done(a);
}

export function setCr0(a: Assembler, bits: number): void {
  a.mov(rax, cr0);
  a.or(rax, bits);
  a.mov(cr0, rax);
}

export function setCr4(a: Assembler, bits: number): void {
  a.mov(rax, cr4);
  a.or(rax, bits);
  a.mov(cr4, rax);
}

/** Changes RAX, RCX and RDX. */
export function enableNoExecute(a: Assembler): void {
  a.mov(ecx, EFER);
  a.rdmsr();
  a.or(eax, EFER_NXE);
  a.wrmsr();
}
