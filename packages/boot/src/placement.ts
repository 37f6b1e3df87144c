/**
 * Decides where kernel and initrd go, and refuses what does not fit, before anything is written.
 */

import { UserError } from '@vireo/errors';
import { type GuestMemory, PAGE_SIZE_BYTES } from '@vireo/guest-memory';
import { BOOT_DATA } from './boot-data.ts';
import { isBacked } from './guest-copy.ts';
import type { KernelImage } from './identify.ts';
import { covers, type GpaRange, highestFit, type MemoryMapEntry, ramRanges, subtract } from './memory-map.ts';

/** Kernel, initrd and identity map all end here. */
const LOW_MEMORY_END = 2 ** 32;
/** The initrd stays clear of the first MiB, where firmware tables and boot data are. */
const FIRST_MIB = { start: 0, end: 1 << 20 };
/** Where a bzImage that cannot be relocated expects its protected-mode code. */
const CODE32_GPA = 0x100000;
const MIB = 1 << 20;

export interface Placement {
  /** Where the file's contents start: the bzImage's code, or nothing for an ELF, whose segments say it. */
  readonly kernelGpa: number;
  /** What the kernel occupies or needs before it reads the memory map. */
  readonly kernel: readonly GpaRange[];
  readonly initrd: GpaRange | undefined;
}

export interface PlacementRequest {
  readonly memory: GuestMemory;
  readonly memoryMap: readonly MemoryMapEntry[];
  readonly image: KernelImage;
  /** For messages. */
  readonly kernelName: string;
  readonly initrdBytes: number;
}

/** @throws UserError 'memory-too-small' with how much it takes; 'kernel-damaged' for addresses that no RAM can have. */
export function place(request: PlacementRequest): Placement {
  const ram = ramRanges(request.memoryMap);
  assertBacked(request.memory, ram);
  const { kernelGpa, ranges } = kernelRanges(request.image);
  for (const range of ranges) {
    if (range.start < BOOT_DATA.end && range.end > BOOT_DATA.start) {
      throw misplaced(request, range, 'which the boot data takes');
    }
    if (!covers(ram, range)) throw doesNotFit(request, ram, ranges, range);
  }
  return { kernelGpa, kernel: ranges, initrd: placeInitrd(request, ram, ranges) };
}

/** Highest command line and initrd addresses differ: only the bzImage's header tells. */
function initrdLimit(image: KernelImage): number {
  return image.kind === 'bzimage' ? image.header.initrdAddrMax + 1 : LOW_MEMORY_END;
}

function kernelRanges(image: KernelImage): { kernelGpa: number; ranges: GpaRange[] } {
  if (image.kind !== 'bzimage') {
    const ranges = image.elf.segments.map(({ gpa, memoryBytes }) => ({ start: gpa, end: gpa + memoryBytes }));
    return { kernelGpa: 0, ranges };
  }
  const { header } = image;
  // The decompressor runs the kernel at pref_address or above, wherever it was loaded; loading it there saves a copy.
  const runtime = { start: header.prefAddress, end: header.prefAddress + header.initSizeBytes };
  if (header.relocatable) return { kernelGpa: header.prefAddress, ranges: [runtime] };
  const code = { start: CODE32_GPA, end: CODE32_GPA + header.codeBytes };
  return { kernelGpa: CODE32_GPA, ranges: [code, runtime] };
}

function placeInitrd(
  request: PlacementRequest,
  ram: readonly GpaRange[],
  kernel: readonly GpaRange[],
): GpaRange | undefined {
  const { initrdBytes, image } = request;
  if (initrdBytes === 0) return undefined;
  const free = subtract(ram, [...kernel, FIRST_MIB]);
  const start = highestFit(free, initrdBytes, PAGE_SIZE_BYTES, initrdLimit(image));
  if (start === undefined) throw tooSmall(request, ram, kernel);
  return { start, end: start + initrdBytes };
}

function doesNotFit(
  request: PlacementRequest,
  ram: readonly GpaRange[],
  kernel: readonly GpaRange[],
  range: GpaRange,
): UserError {
  const top = ram.filter(({ start }) => start < LOW_MEMORY_END).at(-1)?.end ?? 0;
  if (range.end > top) return tooSmall(request, ram, kernel);
  return misplaced(request, range, 'where this machine has no RAM');
}

function tooSmall(
  request: PlacementRequest,
  ram: readonly GpaRange[],
  kernel: readonly GpaRange[],
): UserError {
  const kernelEnd = Math.max(...kernel.map(({ end }) => end));
  const neededMib = Math.ceil(kernelEnd / MIB) + Math.ceil(request.initrdBytes / MIB);
  const haveMib = Math.ceil(ram.reduce((sum, { start, end }) => sum + end - start, 0) / MIB);
  const parts = request.initrdBytes === 0 ? 'the kernel' : 'the kernel and its initrd';
  return new UserError(
    'memory-too-small',
    neededMib > haveMib
      ? `${parts} need${request.initrdBytes === 0 ? 's' : ''} ${neededMib} MiB of memory to start, the machine has ${haveMib} MiB`
      : `${parts} do not fit below 4 GiB of the machine's memory, of which they take ${neededMib} MiB`,
    neededMib > haveMib ? `Give it at least --memory ${suggestMib(neededMib)}M.` : 'Use a smaller initrd.',
  );
}

/** What is needed to start leaves nothing to run in: suggest a round size above it. */
function suggestMib(neededMib: number): number {
  return Math.ceil((neededMib + 32) / 64) * 64;
}

function misplaced(request: PlacementRequest, range: GpaRange, where: string): UserError {
  return new UserError(
    'kernel-misplaced',
    `${request.kernelName} wants to be loaded at 0x${range.start.toString(16)}, ${where}`,
    'Use a kernel that is loaded at 1 MiB or above.',
  );
}

/** A map that calls RAM what guest memory does not hold is our own mistake. */
function assertBacked(memory: GuestMemory, ram: readonly GpaRange[]): void {
  for (const { start, end } of ram) {
    if (!isBacked(memory, start, end - start))
      throw new RangeError('the memory map has RAM outside guest memory');
  }
}
