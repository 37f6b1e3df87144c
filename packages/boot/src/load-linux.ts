/**
 * Loads a Linux kernel into guest memory and says how the boot vCPU starts. Nothing is written before everything
 * was found to fit. Loading again, after a reset, gives the same machine.
 */

import { UserError } from '@vireo/errors';
import type { GuestMemory } from '@vireo/guest-memory';
import { COMMAND_LINE_AREA_BYTES, PVH_START_INFO_GPA, ZERO_PAGE_GPA } from './boot-data.ts';
import type { ByteSource } from './byte-source.ts';
import { ENTRY64_OFFSET } from './bzimage.ts';
import { readIntoGuest, zeroGuest } from './guest-copy.ts';
import type { KernelImage } from './identify.ts';
import type { KernelEntry } from './initial-registers.ts';
import type { GpaRange, MemoryMapEntry } from './memory-map.ts';
import { type Placement, place } from './placement.ts';
import { writePvhBootData } from './pvh.ts';
import { writeLinux64BootData } from './zero-page.ts';

/** Linux's COMMAND_LINE_SIZE on x86, less the NUL. */
const MAX_COMMAND_LINE_BYTES = 2047;

export interface LinuxKernel {
  /** For messages: the path that the user gave, where the source has another. */
  readonly name?: string;
  readonly source: ByteSource;
  readonly image: KernelImage;
}

export interface LoadLinuxOptions {
  readonly memory: GuestMemory;
  readonly kernel: LinuxKernel;
  readonly initrd?: ByteSource | undefined;
  readonly commandLine: string;
  readonly memoryMap: readonly MemoryMapEntry[];
  /** Where the ACPI tables' root pointer is; 0 for none. */
  readonly rsdpGpa: number;
  /** Guest RAM is known to be all zeros, as a fresh mapping is: then the kernel's BSS needs no clearing. */
  readonly memoryIsZero?: boolean;
}

export interface LoadedKernel extends KernelEntry {
  /** What kernel image and initrd occupy. */
  readonly kernel: readonly GpaRange[];
  readonly initrd: GpaRange | undefined;
}

/** @throws UserError when the machine's memory or the command line does not suit the kernel. */
export function loadLinux(options: LoadLinuxOptions): LoadedKernel {
  const { memory, memoryMap, kernel, rsdpGpa, initrd } = options;
  const commandLine = encodeCommandLine(options.commandLine, kernel.image);
  const placement = place({
    memory,
    memoryMap,
    image: kernel.image,
    kernelName: kernel.name ?? kernel.source.name,
    initrdBytes: initrd?.sizeBytes ?? 0,
  });
  if (initrd && placement.initrd) {
    readIntoGuest(memory, initrd, 0, placement.initrd.start, initrd.sizeBytes);
  }
  const info = { commandLine, memoryMap, rsdpGpa, initrd: placement.initrd };
  const entry = loadKernel(options, placement, info);
  return { ...entry, kernel: placement.kernel, initrd: placement.initrd };
}

function loadKernel(
  { memory, kernel, memoryIsZero = false }: LoadLinuxOptions,
  placement: Placement,
  info: Parameters<typeof writePvhBootData>[1],
): KernelEntry {
  const { image, source } = kernel;
  switch (image.kind) {
    case 'pvh-elf':
      loadSegments(memory, source, image.elf.segments, memoryIsZero);
      writePvhBootData(memory, info);
      return { protocol: 'pvh', entryGpa: image.pvhEntryGpa, bootInfoGpa: PVH_START_INFO_GPA };
    case 'elf':
      loadSegments(memory, source, image.elf.segments, memoryIsZero);
      writeLinux64BootData(memory, info, undefined);
      return { protocol: 'linux64', entryGpa: Number(image.elf.entry), bootInfoGpa: ZERO_PAGE_GPA };
    case 'bzimage': {
      const { header } = image;
      readIntoGuest(memory, source, header.codeOffset, placement.kernelGpa, header.codeBytes);
      writeLinux64BootData(memory, info, header);
      const entryGpa = placement.kernelGpa + ENTRY64_OFFSET;
      return { protocol: 'linux64', entryGpa, bootInfoGpa: ZERO_PAGE_GPA };
    }
  }
}

function loadSegments(
  memory: GuestMemory,
  source: ByteSource,
  segments: readonly { offset: number; gpa: number; fileBytes: number; memoryBytes: number }[],
  memoryIsZero: boolean,
): void {
  for (const { offset, gpa, fileBytes, memoryBytes } of segments) {
    readIntoGuest(memory, source, offset, gpa, fileBytes);
    if (!memoryIsZero) zeroGuest(memory, gpa + fileBytes, memoryBytes - fileBytes);
  }
}

function encodeCommandLine(text: string, image: KernelImage): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  const headerLimit = image.kind === 'bzimage' ? image.header.commandLineBytes : MAX_COMMAND_LINE_BYTES;
  const limit = Math.min(headerLimit, COMMAND_LINE_AREA_BYTES - 1);
  if (bytes.byteLength > limit) {
    throw new UserError(
      'command-line-too-long',
      `the kernel's command line has ${bytes.byteLength} bytes, this kernel takes ${limit}`,
      'Shorten it (--append).',
    );
  }
  if (bytes.includes(0)) {
    throw new UserError(
      'command-line-invalid',
      'the command line contains a NUL byte, where the kernel would stop reading it',
      'Remove it (--append).',
    );
  }
  return bytes;
}
