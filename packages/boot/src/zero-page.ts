/**
 * The zero page, struct boot_params, for kernels entered by the 64-bit protocol (Linux x86 boot protocol §1.15
 * "64-bit Boot Protocol"; Linux zero page, Documentation/x86/zero-page.rst).
 */
import { type GuestMemory, PAGE_SIZE_BYTES } from '@vireo/guest-memory';
import {
  COMMAND_LINE_GPA,
  writeCommandLine,
  writeGdt,
  writeIdentityMap,
  ZERO_PAGE_GPA,
} from './boot-data.ts';
import { BOOT_FLAG, HEADER_MAGIC, SETUP_HEADER, type SetupHeader } from './bzimage.ts';
import { ADDRESS_RANGE_TYPE } from './memory-map.ts';
import type { BootInformation } from './pvh.ts';

/** Fields outside the setup header. */
const ACPI_RSDP_ADDR = 0x070;
const E820_ENTRIES = 0x1e8;
const E820_TABLE = 0x2d0;
const E820_ENTRY_BYTES = 20;
export const E820_MAX_ENTRIES = 128;

/** A boot loader without an assigned number. */
const LOADER_TYPE_UNDEFINED = 0xff;
const LOADED_HIGH = 1 << 0;

/**
 * Writes the zero page and what the entry needs besides: page tables, GDT, command line. A kernel that came as an
 * ELF has no setup header to copy; it gets the fields that the kernel proper reads.
 */
export function writeLinux64BootData(
  memory: GuestMemory,
  info: BootInformation,
  header: SetupHeader | undefined,
): void {
  writeGdt(memory, 64);
  writeIdentityMap(memory);
  writeCommandLine(memory, info.commandLine);
  const page = new Uint8Array(PAGE_SIZE_BYTES);
  const view = new DataView(page.buffer);
  if (header !== undefined) page.set(header.bytes, SETUP_HEADER.setup_sects);
  writeSetupHeader(view, info, header !== undefined);
  view.setBigUint64(ACPI_RSDP_ADDR, BigInt(info.rsdpGpa), true);
  writeE820(view, info);
  memory.write(ZERO_PAGE_GPA, page);
}

function writeSetupHeader(view: DataView, info: BootInformation, hasHeader: boolean): void {
  if (!hasHeader) {
    view.setUint16(SETUP_HEADER.boot_flag, BOOT_FLAG, true);
    view.setUint32(SETUP_HEADER.header, HEADER_MAGIC, true);
    view.setUint16(SETUP_HEADER.version, 0x020c, true);
  }
  view.setUint8(SETUP_HEADER.type_of_loader, LOADER_TYPE_UNDEFINED);
  view.setUint8(SETUP_HEADER.loadflags, view.getUint8(SETUP_HEADER.loadflags) | LOADED_HIGH);
  view.setUint32(SETUP_HEADER.cmd_line_ptr, COMMAND_LINE_GPA, true);
  view.setBigUint64(SETUP_HEADER.setup_data, 0n, true);
  view.setUint32(SETUP_HEADER.ramdisk_image, info.initrd?.start ?? 0, true);
  view.setUint32(SETUP_HEADER.ramdisk_size, info.initrd ? info.initrd.end - info.initrd.start : 0, true);
}

function writeE820(view: DataView, { memoryMap }: BootInformation): void {
  if (memoryMap.length > E820_MAX_ENTRIES) throw new RangeError('memory map too long for the E820 table');
  view.setUint8(E820_ENTRIES, memoryMap.length);
  for (const [i, entry] of memoryMap.entries()) {
    const at = E820_TABLE + i * E820_ENTRY_BYTES;
    view.setBigUint64(at, BigInt(entry.gpa), true);
    view.setBigUint64(at + 8, BigInt(entry.sizeBytes), true);
    view.setUint32(at + 16, ADDRESS_RANGE_TYPE[entry.kind], true);
  }
}
