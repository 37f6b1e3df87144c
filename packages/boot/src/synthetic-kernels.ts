/** For tests: small ELF files, bzImages and guest memory, well-formed unless told otherwise. */
import { GuestMemory } from '@vireo/guest-memory';
import { SETUP_HEADER } from './bzimage.ts';
import type { MemoryMapEntry } from './memory-map.ts';

export interface SyntheticSegment {
  readonly gpa: number;
  readonly bytes: Uint8Array;
  readonly memoryBytes?: number;
  readonly gva?: bigint;
}

export interface SyntheticElf {
  readonly segments: readonly SyntheticSegment[];
  readonly entry?: bigint;
  readonly pvhEntryGpa?: number;
  readonly bits?: 32 | 64;
  readonly machine?: number;
  readonly type?: number;
}

const DATA_OFFSET = 0x1000;

/** An ELF executable with the segments one after another, and a PVH note if there is an entry for it. */
export function buildElf(elf: SyntheticElf): Uint8Array {
  const is64 = (elf.bits ?? 64) === 64;
  const note = elf.pvhEntryGpa === undefined ? undefined : pvhNote(elf.pvhEntryGpa, is64);
  const parts = elf.segments.map(({ bytes }) => bytes);
  const total = DATA_OFFSET + [...parts, note ?? []].reduce((sum, { length }) => sum + length, 0);
  const file = new Uint8Array(total);
  const view = new DataView(file.buffer);
  writeHeader(view, elf, is64, elf.segments.length + (note ? 1 : 0));
  let offset = DATA_OFFSET;
  for (const [i, segment] of elf.segments.entries()) {
    file.set(segment.bytes, offset);
    const memoryBytes = segment.memoryBytes ?? segment.bytes.length;
    writeProgramHeader(view, is64, i, { type: 1, offset, ...segment, memoryBytes });
    offset += segment.bytes.length;
  }
  if (note) {
    file.set(note, offset);
    const header = { type: 4, offset, gpa: 0, bytes: note, memoryBytes: note.length };
    writeProgramHeader(view, is64, elf.segments.length, header);
  }
  return file;
}

function writeHeader(view: DataView, elf: SyntheticElf, is64: boolean, programHeaders: number): void {
  for (const [i, byte] of [0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, 1, 1].entries()) view.setUint8(i, byte);
  view.setUint16(16, elf.type ?? 2, true);
  view.setUint16(18, elf.machine ?? 62, true);
  const entry = elf.entry ?? BigInt(elf.segments[0]?.gpa ?? 0);
  if (is64) {
    view.setBigUint64(24, entry, true);
    view.setBigUint64(32, 64n, true);
    view.setUint16(54, 56, true);
    view.setUint16(56, programHeaders, true);
  } else {
    view.setUint32(24, Number(entry), true);
    view.setUint32(28, 52, true);
    view.setUint16(42, 32, true);
    view.setUint16(44, programHeaders, true);
  }
}

function writeProgramHeader(
  view: DataView,
  is64: boolean,
  index: number,
  header: SyntheticSegment & { type: number; offset: number; memoryBytes: number },
): void {
  const { type, offset, gva = 0n, gpa, bytes, memoryBytes } = header;
  const at = is64 ? 64 + index * 56 : 52 + index * 32;
  view.setUint32(at, type, true);
  const words = [offset, gva, gpa, bytes.length, memoryBytes].map(BigInt);
  for (const [i, word] of words.entries()) {
    if (is64) view.setBigUint64(at + 8 + i * 8, word, true);
    else view.setUint32(at + 4 + i * 4, Number(word & 0xffffffffn), true);
  }
}

/** A foreign note first, as vmlinux has several, then XEN_ELFNOTE_PHYS32_ENTRY. */
function pvhNote(gpa: number, is64: boolean): Uint8Array {
  const note = Buffer.alloc(20 + 16 + (is64 ? 8 : 4));
  note.writeUInt32LE(4, 0);
  note.writeUInt32LE(3, 4);
  note.writeUInt32LE(18, 8);
  note.write('GNU\0', 12);
  note.writeUInt32LE(4, 20);
  note.writeUInt32LE(is64 ? 8 : 4, 24);
  note.writeUInt32LE(18, 28);
  note.write('Xen\0', 32);
  note.writeUInt32LE(gpa, 36);
  return note;
}

export interface SyntheticBzImage {
  readonly payload: Uint8Array;
  readonly initSizeBytes?: number;
  readonly prefAddress?: number;
  readonly relocatable?: boolean;
  readonly version?: number;
  readonly xloadflags?: number;
  readonly commandLineBytes?: number;
  readonly initrdAddrMax?: number;
}

const SETUP_SECTORS = 3;
const PAYLOAD_OFFSET = 0x300;

/** A bzImage of protocol 2.15 with the payload where Linux has it. */
export function buildBzImage(options: SyntheticBzImage): Uint8Array {
  const codeOffset = (SETUP_SECTORS + 1) * 512;
  const codeBytes = Math.ceil((PAYLOAD_OFFSET + options.payload.length) / 16) * 16;
  const file = new Uint8Array(codeOffset + codeBytes);
  const view = new DataView(file.buffer);
  const h = SETUP_HEADER;
  view.setUint8(h.setup_sects, SETUP_SECTORS);
  view.setUint32(h.syssize, codeBytes / 16, true);
  view.setUint16(h.boot_flag, 0xaa55, true);
  view.setUint16(h.jump, 0x6aeb, true);
  view.setUint32(h.header, 0x53726448, true);
  view.setUint16(h.version, options.version ?? 0x20f, true);
  view.setUint8(h.loadflags, 1);
  view.setUint32(h.initrd_addr_max, options.initrdAddrMax ?? 0x7fffffff, true);
  view.setUint32(h.kernel_alignment, 0x200000, true);
  view.setUint8(h.relocatable_kernel, options.relocatable === false ? 0 : 1);
  view.setUint16(h.xloadflags, options.xloadflags ?? 0x7f, true);
  view.setUint32(h.cmdline_size, options.commandLineBytes ?? 2047, true);
  view.setUint32(h.payload_offset, PAYLOAD_OFFSET, true);
  view.setUint32(h.payload_length, options.payload.length, true);
  view.setBigUint64(h.pref_address, BigInt(options.prefAddress ?? 0x1000000), true);
  view.setUint32(h.init_size, options.initSizeBytes ?? 8 << 20, true);
  file.set(options.payload, codeOffset + PAYLOAD_OFFSET);
  return file;
}

/** What the kernel's build appends to a packed payload. */
export function withLength(packed: Uint8Array, lengthBytes: number): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(lengthBytes);
  return Buffer.concat([packed, length]);
}

/** RAM in one region at 0, filled with a byte that tells written memory from untouched. */
export function buildMemory(sizeBytes: number, filler = 0): { memory: GuestMemory; bytes: Uint8Array } {
  const buffer = new ArrayBuffer(sizeBytes);
  const bytes = new Uint8Array(buffer);
  if (filler !== 0) bytes.fill(filler);
  const backing = { fd: -1, fdOffset: 0, hva: 0, sizeBytes, buffer };
  const memory = new GuestMemory([{ gpa: 0, sizeBytes, backing, backingOffset: 0, readonly: false }]);
  return { memory, bytes };
}

/** A PC's map: low RAM up to the EBDA, ROM, RAM above 1 MiB. */
export function pcMemoryMap(sizeBytes: number): MemoryMapEntry[] {
  return [
    { gpa: 0, sizeBytes: 0x9fc00, kind: 'ram' },
    { gpa: 0x9fc00, sizeBytes: 0x60400, kind: 'reserved' },
    { gpa: 0x100000, sizeBytes: sizeBytes - 0x100000, kind: 'ram' },
  ];
}

/** Deterministic bytes that look like code: CALL and JMP, prefixes, sign bytes, runs of zeros, repeats. */
export function codeLikeBytes(lengthBytes: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  const alphabet = [0xe8, 0xe9, 0x00, 0xff, 0x0f, 0x48, 0x8b, 0xe8, 0x00, 0xff, 0x90, 0xc3];
  let state = seed >>> 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 16;
  };
  for (let i = 0; i < lengthBytes; ) {
    const choice = next() % 16;
    if (choice === 0) i += next() % 60;
    else if (choice < 4 && i > 300) {
      const length = Math.min(3 + (next() % 40), lengthBytes - i);
      bytes.copyWithin(i, i - 300, i - 300 + length);
      i += length;
    } else bytes[i++] = choice < 12 ? alphabet[next() % alphabet.length]! : next();
  }
  return bytes;
}
