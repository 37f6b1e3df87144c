/**
 * Writes a kernel's loadable parts as an ELF executable without the zeros: two fifths of an unpacked vmlinux are
 * padding and BSS, and every page of them would cost a read and a page fault on each start.
 */
import {
  type ElfImage,
  type ElfSegment,
  EM_X86_64,
  ET_EXEC,
  PT_LOAD,
  PT_NOTE,
  XEN_ELFNOTE_PHYS32_ENTRY,
  XEN_NOTE_NAME,
} from './elf.ts';

/** A run of zeros shorter than this is not worth a segment of its own. */
const MIN_ZERO_RUN_BYTES = 64 << 10;
const SCAN_BYTES = 4096;
const ZEROS = new Uint8Array(SCAN_BYTES);
/** Under the number of program headers that `parseElf` accepts. */
const MAX_SEGMENTS = 200;

const ELF_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
/** The PVH entry note: three words, "Xen", and an 8-byte address. */
const NOTE_BYTES = 24;
/** Aligned to pages, so that reads are, too. */
const DATA_ALIGNMENT_BYTES = 4096;

/** The pieces of the new file, in order: headers first, then each segment's bytes. `bytes` is what `elf` came from. */
export function compactElf(bytes: Uint8Array, elf: ElfImage, pvhEntryGpa: number): Uint8Array[] {
  const segments = elf.segments.flatMap((segment) => splitAtZeros(bytes, segment));
  // A kernel so full of holes is taken as it is.
  const chosen = segments.length > MAX_SEGMENTS ? elf.segments : segments;
  const headers = writeHeaders(elf, chosen, pvhEntryGpa);
  return [headers, ...chosen.flatMap((segment) => segmentBytes(bytes, segment))];
}

function segmentBytes(bytes: Uint8Array, { offset, fileBytes }: ElfSegment): Uint8Array[] {
  const padding = alignUp(fileBytes) - fileBytes;
  return [bytes.subarray(offset, offset + fileBytes), new Uint8Array(padding)];
}

/** One segment becomes several, each of data followed by zeros that only `memoryBytes` tells of. */
function splitAtZeros(bytes: Uint8Array, segment: ElfSegment): ElfSegment[] {
  const pieces: ElfSegment[] = [];
  const end = segment.offset + segment.fileBytes;
  let start = segment.offset;
  let dataEnd = start;
  const finish = (next: number) => {
    pieces.push(piece(segment, start, dataEnd, next));
    start = next;
  };
  for (let at = start; at < end; at += SCAN_BYTES) {
    const chunkEnd = Math.min(at + SCAN_BYTES, end);
    if (isZero(bytes, at, chunkEnd)) continue;
    if (at - dataEnd >= MIN_ZERO_RUN_BYTES) finish(at);
    dataEnd = chunkEnd;
  }
  finish(segment.offset + segment.memoryBytes);
  return pieces;
}

/** The part of a segment at file offsets `[start, next)`, of which only those below `dataEnd` are not zeros. */
function piece(segment: ElfSegment, start: number, dataEnd: number, next: number): ElfSegment {
  const skipped = start - segment.offset;
  return {
    offset: start,
    gpa: segment.gpa + skipped,
    gva: segment.gva + BigInt(skipped),
    fileBytes: dataEnd - start,
    memoryBytes: next - start,
  };
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[start] !== 0) return false;
  return Buffer.compare(bytes.subarray(start, end), ZEROS.subarray(0, end - start)) === 0;
}

function writeHeaders(elf: ElfImage, segments: readonly ElfSegment[], pvhEntryGpa: number): Uint8Array {
  const noteOffset = ELF_HEADER_BYTES + (segments.length + 1) * PROGRAM_HEADER_BYTES;
  const headers = new Uint8Array(alignUp(noteOffset + NOTE_BYTES));
  const view = new DataView(headers.buffer);
  writeElfHeader(headers, view, elf, segments.length + 1);
  let offset = headers.length;
  for (const [i, segment] of segments.entries()) {
    const at = ELF_HEADER_BYTES + i * PROGRAM_HEADER_BYTES;
    writeProgramHeader(view, at, PT_LOAD, { ...segment, offset });
    offset += alignUp(segment.fileBytes);
  }
  const note = { offset: noteOffset, gpa: 0, gva: 0n, fileBytes: NOTE_BYTES, memoryBytes: NOTE_BYTES };
  writeProgramHeader(view, noteOffset - PROGRAM_HEADER_BYTES, PT_NOTE, note);
  writeNote(view, noteOffset, pvhEntryGpa);
  return headers;
}

function writeElfHeader(headers: Uint8Array, view: DataView, elf: ElfImage, programHeaders: number): void {
  headers.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // ELF64, little-endian, version 1
  view.setUint16(16, ET_EXEC, true);
  view.setUint16(18, EM_X86_64, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, elf.entry, true);
  view.setBigUint64(32, BigInt(ELF_HEADER_BYTES), true);
  view.setUint16(52, ELF_HEADER_BYTES, true);
  view.setUint16(54, PROGRAM_HEADER_BYTES, true);
  view.setUint16(56, programHeaders, true);
}

function writeProgramHeader(view: DataView, at: number, type: number, segment: ElfSegment): void {
  view.setUint32(at, type, true);
  view.setUint32(at + 4, 7, true); // flags: nobody looks
  view.setBigUint64(at + 8, BigInt(segment.offset), true);
  view.setBigUint64(at + 16, segment.gva, true);
  view.setBigUint64(at + 24, BigInt(segment.gpa), true);
  view.setBigUint64(at + 32, BigInt(segment.fileBytes), true);
  view.setBigUint64(at + 40, BigInt(segment.memoryBytes), true);
  view.setBigUint64(at + 48, type === PT_NOTE ? 4n : BigInt(DATA_ALIGNMENT_BYTES), true);
}

function writeNote(view: DataView, at: number, pvhEntryGpa: number): void {
  view.setUint32(at, XEN_NOTE_NAME.length, true);
  view.setUint32(at + 4, 8, true);
  view.setUint32(at + 8, XEN_ELFNOTE_PHYS32_ENTRY, true);
  for (let i = 0; i < XEN_NOTE_NAME.length; i++) view.setUint8(at + 12 + i, XEN_NOTE_NAME.charCodeAt(i));
  view.setBigUint64(at + 16, BigInt(pvhEntryGpa), true);
}

function alignUp(bytes: number): number {
  return Math.ceil(bytes / DATA_ALIGNMENT_BYTES) * DATA_ALIGNMENT_BYTES;
}
