/**
 * ELF executables: the program headers, the PT_LOAD segments by physical address, and the PVH entry note
 * (System V ABI, "Object Files" and "Program Loading"; Xen, "x86/HVM direct boot ABI"; xen/include/public/elfnote.h).
 */

import { UserError } from '@vireo/errors';
import { type ByteSource, readUpTo } from './byte-source.ts';

const ELFCLASS32 = 1;
const ELFCLASS64 = 2;
const ELFDATA2LSB = 1;
export const ET_EXEC = 2;
const ET_DYN = 3;
const EM_386 = 3;
export const EM_X86_64 = 62;
export const PT_LOAD = 1;
export const PT_NOTE = 4;

/** The physical address of the 32-bit PVH entry point. */
export const XEN_ELFNOTE_PHYS32_ENTRY = 18;
export const XEN_NOTE_NAME = 'Xen\0';

/** A kernel has about five program headers and half a KiB of notes; more than this is not a kernel. */
const MAX_PROGRAM_HEADERS = 256;
const MAX_NOTE_BYTES = 64 << 10;
/** 32-bit entry code and identity maps end at 4 GiB. */
const MAX_GPA = 2 ** 32;

/** A PT_LOAD segment: `fileBytes` from `offset` on go to `gpa`, then zeros up to `memoryBytes`. */
export interface ElfSegment {
  readonly offset: number;
  readonly gpa: number;
  readonly fileBytes: number;
  readonly memoryBytes: number;
  /** Virtual address the program was linked for. */
  readonly gva: bigint;
}

export interface ElfImage {
  readonly bits: 32 | 64;
  /** e_entry. */
  readonly entry: bigint;
  /** In the order of their guest physical addresses; none empty, none overlapping. */
  readonly segments: readonly ElfSegment[];
  /** Where XEN_ELFNOTE_PHYS32_ENTRY says the PVH entry is. */
  readonly pvhEntryGpa: number | undefined;
}

/** Where the fields are that differ between the two classes. */
interface Layout {
  readonly bits: 32 | 64;
  readonly headerBytes: number;
  readonly programHeaderBytes: number;
  readonly entry: number;
  readonly phoff: number;
  readonly phentsize: number;
  readonly phnum: number;
  readonly offset: number;
  readonly vaddr: number;
  readonly paddr: number;
  readonly filesz: number;
  readonly memsz: number;
  readonly align: number;
}

const ELF32: Layout = {
  bits: 32,
  headerBytes: 52,
  programHeaderBytes: 32,
  entry: 24,
  phoff: 28,
  phentsize: 42,
  phnum: 44,
  offset: 4,
  vaddr: 8,
  paddr: 12,
  filesz: 16,
  memsz: 20,
  align: 28,
};

const ELF64: Layout = {
  bits: 64,
  headerBytes: 64,
  programHeaderBytes: 56,
  entry: 24,
  phoff: 32,
  phentsize: 54,
  phnum: 56,
  offset: 8,
  vaddr: 16,
  paddr: 24,
  filesz: 32,
  memsz: 40,
  align: 48,
};

export function isElf(head: Uint8Array): boolean {
  return head.length >= 4 && head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;
}

/** @throws UserError when it is no x86 executable, or contradicts itself. */
export function parseElf(source: ByteSource): ElfImage {
  const head = readUpTo(source, 0, ELF64.headerBytes);
  const layout = checkIdent(source, head);
  const view = new DataView(head.buffer);
  const word = wordReader(layout, view);
  const table = readProgramHeaders(source, layout, view, word(layout.phoff));
  const segments: ElfSegment[] = [];
  let pvhEntryGpa: number | undefined;
  for (const header of table) {
    const type = header.getUint32(0, true);
    if (type === PT_LOAD) segments.push(...loadSegment(source, layout, header));
    if (type === PT_NOTE) pvhEntryGpa ??= findPvhEntry(source, layout, header);
  }
  return { bits: layout.bits, entry: word(layout.entry), segments: inOrder(source, segments), pvhEntryGpa };
}

function checkIdent(source: ByteSource, head: Uint8Array): Layout {
  if (head.length < ELF32.headerBytes) throw damaged(source, 'its ELF header is cut short');
  const view = new DataView(head.buffer);
  const elfClass = head[4];
  if (head[5] !== ELFDATA2LSB) throw wrongArchitecture(source, 'a big-endian processor');
  if (elfClass !== ELFCLASS32 && elfClass !== ELFCLASS64) throw damaged(source, 'its ELF class is unknown');
  const layout = elfClass === ELFCLASS64 ? ELF64 : ELF32;
  if (head.length < layout.headerBytes) throw damaged(source, 'its ELF header is cut short');
  const machine = view.getUint16(18, true);
  if (machine !== EM_X86_64 && machine !== EM_386) throw wrongArchitecture(source, machineName(machine));
  const type = view.getUint16(16, true);
  if (type !== ET_EXEC && type !== ET_DYN) {
    throw new UserError(
      'kernel-unrecognised',
      `${source.name} is an ELF file, but not an executable (a kernel module or object file?)`,
      'Name a vmlinux or a bzImage.',
    );
  }
  return layout;
}

function readProgramHeaders(source: ByteSource, layout: Layout, head: DataView, phoff: bigint): DataView[] {
  const count = head.getUint16(layout.phnum, true);
  const entryBytes = head.getUint16(layout.phentsize, true);
  if (count === 0 || count > MAX_PROGRAM_HEADERS || entryBytes !== layout.programHeaderBytes) {
    throw damaged(source, 'its ELF program header table is not one');
  }
  const offset = asOffset(source, phoff, BigInt(count * entryBytes));
  const bytes = readUpTo(source, offset, count * entryBytes);
  return Array.from({ length: count }, (_, i) => new DataView(bytes.buffer, i * entryBytes, entryBytes));
}

function loadSegment(source: ByteSource, layout: Layout, header: DataView): ElfSegment[] {
  const word = wordReader(layout, header);
  const fileBytes = word(layout.filesz);
  const memoryBytes = word(layout.memsz);
  const gpa = word(layout.paddr);
  if (memoryBytes === 0n) return [];
  if (fileBytes > memoryBytes) throw damaged(source, 'an ELF segment is larger in the file than in memory');
  if (gpa + memoryBytes > BigInt(MAX_GPA)) throw damaged(source, 'an ELF segment lies above 4 GiB');
  return [
    {
      offset: asOffset(source, word(layout.offset), fileBytes),
      gpa: Number(gpa),
      fileBytes: Number(fileBytes),
      memoryBytes: Number(memoryBytes),
      gva: word(layout.vaddr),
    },
  ];
}

function inOrder(source: ByteSource, segments: ElfSegment[]): ElfSegment[] {
  if (segments.length === 0) throw damaged(source, 'it has no ELF segments to load');
  segments.sort((a, b) => a.gpa - b.gpa);
  for (const [i, segment] of segments.entries()) {
    const next = segments[i + 1];
    if (next && segment.gpa + segment.memoryBytes > next.gpa) {
      throw damaged(source, 'its ELF segments overlap');
    }
  }
  return segments;
}

/** Walks the notes of one PT_NOTE segment; notes that make no sense end the walk, as the kernel's own readers do. */
function findPvhEntry(source: ByteSource, layout: Layout, header: DataView): number | undefined {
  const word = wordReader(layout, header);
  const sizeBytes = word(layout.filesz);
  const offset = word(layout.offset);
  if (sizeBytes > BigInt(MAX_NOTE_BYTES) || offset > BigInt(source.sizeBytes)) return undefined;
  const bytes = readUpTo(source, Number(offset), Number(sizeBytes));
  const view = new DataView(bytes.buffer);
  const align = word(layout.align) === 8n ? 8 : 4;
  let at = 0;
  while (at + 12 <= bytes.length) {
    const nameBytes = view.getUint32(at, true);
    const descBytes = view.getUint32(at + 4, true);
    const type = view.getUint32(at + 8, true);
    const name = at + 12;
    const desc = alignUp(name + nameBytes, align);
    if (desc + descBytes > bytes.length) return undefined;
    const isXen = Buffer.from(bytes.buffer, name, nameBytes).toString('latin1') === XEN_NOTE_NAME;
    if (isXen && type === XEN_ELFNOTE_PHYS32_ENTRY) return noteAddress(view, desc, descBytes);
    at = alignUp(desc + descBytes, align);
  }
  return undefined;
}

/** The note's address is as wide as the file's class, and of any width that old kernels chose. */
function noteAddress(view: DataView, desc: number, descBytes: number): number | undefined {
  if (descBytes === 4) return view.getUint32(desc, true);
  if (descBytes !== 8) return undefined;
  const gpa = view.getBigUint64(desc, true);
  return gpa < BigInt(MAX_GPA) ? Number(gpa) : undefined;
}

function wordReader(layout: Layout, view: DataView): (at: number) => bigint {
  return layout.bits === 64 ? (at) => view.getBigUint64(at, true) : (at) => BigInt(view.getUint32(at, true));
}

function asOffset(source: ByteSource, offset: bigint, lengthBytes: bigint): number {
  if (offset + lengthBytes > BigInt(source.sizeBytes)) {
    throw new UserError(
      'kernel-truncated',
      `${source.name} is truncated: it has ${source.sizeBytes} bytes, its headers tell of ${offset + lengthBytes}`,
      'Copy or download the kernel again.',
    );
  }
  return Number(offset);
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

function machineName(machine: number): string {
  const names: Record<number, string> = {
    40: '32-bit ARM',
    183: 'arm64',
    243: 'RISC-V',
    21: 'PowerPC',
    22: 's390',
  };
  return names[machine] ?? `ELF machine ${machine}`;
}

function wrongArchitecture(source: ByteSource, architecture: string): UserError {
  return new UserError(
    'kernel-wrong-architecture',
    `${source.name} is for ${architecture}, the machine is x86-64`,
    'Name a kernel built for x86-64.',
  );
}

function damaged(source: ByteSource, what: string): UserError {
  return new UserError(
    'kernel-damaged',
    `${source.name} cannot be loaded: ${what}`,
    'Copy or download the kernel again.',
  );
}
