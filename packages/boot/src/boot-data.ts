/**
 * What the loader leaves in low memory besides the kernel, and where. All of it lies in RAM below the EBDA
 * (0x9FC00) and the ACPI tables (0xE0000); Linux copies what it wants to keep and then uses the memory as RAM.
 *
 *   0x01000  GDT                                  0x09000  page tables: PML4, PDPT, four page directories
 *   0x02000  PVH start info and module list       0x20000  command line, up to 64 KiB
 *   0x03000  PVH memory map
 *   0x07000  zero page (struct boot_params)
 */
import type { GuestMemory } from '@vireo/guest-memory';
import { PAGE_SIZE_BYTES } from '@vireo/guest-memory';

export const GDT_GPA = 0x1000;
export const PVH_START_INFO_GPA = 0x2000;
export const PVH_MODULE_LIST_GPA = 0x2100;
export const PVH_MEMORY_MAP_GPA = 0x3000;
export const ZERO_PAGE_GPA = 0x7000;
export const PML4_GPA = 0x9000;
export const COMMAND_LINE_GPA = 0x20000;
export const COMMAND_LINE_AREA_BYTES = 0x10000;

/** Everything above lies in this range; a kernel that wants part of it cannot be loaded. */
export const BOOT_DATA = { start: GDT_GPA, end: COMMAND_LINE_GPA + COMMAND_LINE_AREA_BYTES };

/** The selectors that the Linux boot protocol fixes (Linux x86 boot protocol §1.15 "64-bit Boot Protocol"). */
export const BOOT_CS_SELECTOR = 0x10;
export const BOOT_DS_SELECTOR = 0x18;
export const BOOT_TSS_SELECTOR = 0x20;

/** Flat 4 GiB segments and a TSS of 0x68 bytes at 0 (Intel SDM Vol. 3A §3.4.5 "Segment Descriptors"). */
const CODE32 = 0x00cf9b000000ffffn;
const CODE64 = 0x00af9b000000ffffn;
const DATA = 0x00cf93000000ffffn;
const TSS_BUSY = 0x00008b0000000067n;
/** Null, unused, code, data, and the TSS, whose 64-bit form takes two entries. */
const GDT_ENTRIES = 6;
export const GDT_LIMIT = GDT_ENTRIES * 8 - 1;

export function writeGdt(memory: GuestMemory, codeBits: 32 | 64): void {
  const entries = [0n, 0n, codeBits === 64 ? CODE64 : CODE32, DATA, TSS_BUSY, 0n];
  for (const [i, entry] of entries.entries()) memory.writeU64(GDT_GPA + i * 8, entry);
}

/** Page-table entry bits (Intel SDM Vol. 3A §4.5.4 "Linear-Address Translation with 4-Level Paging"). */
const PTE_PRESENT = 1 << 0;
const PTE_WRITABLE = 1 << 1;
const PTE_LARGE = 1 << 7;
const ENTRIES_PER_TABLE = 512;
const LARGE_PAGE_BYTES = 2 << 20;
const IDENTITY_MAPPED_GIB = 4;

/** Maps the first 4 GiB to themselves with 2 MiB pages: wherever kernel, zero page or command line are. */
export function writeIdentityMap(memory: GuestMemory): void {
  const flags = PTE_PRESENT | PTE_WRITABLE;
  const pdpt = PML4_GPA + PAGE_SIZE_BYTES;
  const directories = pdpt + PAGE_SIZE_BYTES;
  memory.fill(PML4_GPA, (2 + IDENTITY_MAPPED_GIB) * PAGE_SIZE_BYTES, 0);
  memory.writeU64(PML4_GPA, BigInt(pdpt | flags));
  for (let gib = 0; gib < IDENTITY_MAPPED_GIB; gib++) {
    memory.writeU64(pdpt + gib * 8, BigInt((directories + gib * PAGE_SIZE_BYTES) | flags));
  }
  const entries = new Uint32Array(IDENTITY_MAPPED_GIB * ENTRIES_PER_TABLE * 2);
  for (let i = 0; i < entries.length; i += 2) {
    entries[i] = (i / 2) * LARGE_PAGE_BYTES + (flags | PTE_LARGE);
  }
  memory.write(directories, new Uint8Array(entries.buffer));
}

/** The command line, NUL-terminated. Its length was checked. */
export function writeCommandLine(memory: GuestMemory, commandLine: Uint8Array): void {
  memory.write(COMMAND_LINE_GPA, commandLine);
  memory.writeU8(COMMAND_LINE_GPA + commandLine.byteLength, 0);
}
