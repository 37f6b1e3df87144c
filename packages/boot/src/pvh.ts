/**
 * PVH: a kernel entered in 32-bit protected mode with EBX at a start info structure (Xen, "x86/HVM direct boot ABI",
 * docs/misc/pvh.pandoc; xen/include/public/arch-x86/hvm/start_info.h).
 */
import type { GuestMemory } from '@vireo/guest-memory';
import {
  COMMAND_LINE_GPA,
  PVH_MEMORY_MAP_GPA,
  PVH_MODULE_LIST_GPA,
  PVH_START_INFO_GPA,
  writeCommandLine,
  writeGdt,
  ZERO_PAGE_GPA,
} from './boot-data.ts';
import { ADDRESS_RANGE_TYPE, type GpaRange, type MemoryMapEntry } from './memory-map.ts';

const XEN_HVM_START_MAGIC_VALUE = 0x336ec578;
const START_INFO_VERSION = 1;
const START_INFO_BYTES = 56;
const MODULE_LIST_ENTRY_BYTES = 32;
const MEMORY_MAP_ENTRY_BYTES = 24;
/** The table's room in low memory; Linux takes 128 entries. */
export const PVH_MAX_MEMORY_MAP_ENTRIES = 128;

export interface BootInformation {
  readonly commandLine: Uint8Array;
  readonly memoryMap: readonly MemoryMapEntry[];
  readonly rsdpGpa: number;
  readonly initrd: GpaRange | undefined;
}

/** Writes struct hvm_start_info and what it points to. */
export function writePvhBootData(memory: GuestMemory, info: BootInformation): void {
  writeGdt(memory, 32);
  writeCommandLine(memory, info.commandLine);
  writeMemoryMap(memory, info.memoryMap);
  writeModuleList(memory, info.initrd);
  const bytes = new Uint8Array(START_INFO_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, XEN_HVM_START_MAGIC_VALUE, true);
  view.setUint32(4, START_INFO_VERSION, true);
  view.setUint32(8, 0, true); // flags: no privileged guest, no initial domain
  view.setUint32(12, info.initrd ? 1 : 0, true);
  view.setBigUint64(16, BigInt(info.initrd ? PVH_MODULE_LIST_GPA : 0), true);
  view.setBigUint64(24, BigInt(COMMAND_LINE_GPA), true);
  view.setBigUint64(32, BigInt(info.rsdpGpa), true);
  view.setBigUint64(40, BigInt(PVH_MEMORY_MAP_GPA), true);
  view.setUint32(48, info.memoryMap.length, true);
  memory.write(PVH_START_INFO_GPA, bytes);
}

/** struct hvm_modlist_entry: the one module is the initrd, without a command line. */
function writeModuleList(memory: GuestMemory, initrd: GpaRange | undefined): void {
  memory.fill(PVH_MODULE_LIST_GPA, MODULE_LIST_ENTRY_BYTES, 0);
  if (initrd === undefined) return;
  memory.writeU64(PVH_MODULE_LIST_GPA, BigInt(initrd.start));
  memory.writeU64(PVH_MODULE_LIST_GPA + 8, BigInt(initrd.end - initrd.start));
}

/** struct hvm_memmap_table_entry, as many as there are ranges. */
function writeMemoryMap(memory: GuestMemory, map: readonly MemoryMapEntry[]): void {
  const room = (ZERO_PAGE_GPA - PVH_MEMORY_MAP_GPA) / MEMORY_MAP_ENTRY_BYTES;
  if (map.length > Math.min(room, PVH_MAX_MEMORY_MAP_ENTRIES)) throw new RangeError('memory map too long');
  const bytes = new Uint8Array(map.length * MEMORY_MAP_ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [i, entry] of map.entries()) {
    const at = i * MEMORY_MAP_ENTRY_BYTES;
    view.setBigUint64(at, BigInt(entry.gpa), true);
    view.setBigUint64(at + 8, BigInt(entry.sizeBytes), true);
    view.setUint32(at + 16, ADDRESS_RANGE_TYPE[entry.kind], true);
  }
  memory.write(PVH_MEMORY_MAP_GPA, bytes);
}
