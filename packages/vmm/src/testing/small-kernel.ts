/** The smallest file that is loaded as a kernel: an ELF with one segment and PVH's note. Nothing ever runs it. */
const SEGMENT_OFFSET = 0x1000;
const NOTE_OFFSET = 0x1100;
const ENTRY_GPA = 0x100000;

export function smallKernel(): Uint8Array {
  const file = Buffer.alloc(0x1200);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // ELF, 64 bits, little-endian
  file.writeUInt16LE(2, 16); // ET_EXEC
  file.writeUInt16LE(62, 18); // EM_X86_64
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(ENTRY_GPA), 24);
  file.writeBigUInt64LE(64n, 32); // program headers
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(2, 56);
  writeProgramHeader(file, 64, { type: 1, offset: SEGMENT_OFFSET, gpa: ENTRY_GPA, lengthBytes: 16 });
  writeProgramHeader(file, 120, { type: 4, offset: NOTE_OFFSET, gpa: 0, lengthBytes: 20 });
  file.fill(0xf4, SEGMENT_OFFSET, SEGMENT_OFFSET + 16);
  // XEN_ELFNOTE_PHYS32_ENTRY: name and descriptor of 4 bytes each.
  file.writeUInt32LE(4, NOTE_OFFSET);
  file.writeUInt32LE(4, NOTE_OFFSET + 4);
  file.writeUInt32LE(18, NOTE_OFFSET + 8);
  file.write('Xen\0', NOTE_OFFSET + 12);
  file.writeUInt32LE(ENTRY_GPA, NOTE_OFFSET + 16);
  return file;
}

function writeProgramHeader(
  file: Buffer,
  at: number,
  header: { type: number; offset: number; gpa: number; lengthBytes: number },
): void {
  file.writeUInt32LE(header.type, at);
  file.writeUInt32LE(7, at + 4);
  const words = [header.offset, header.gpa, header.gpa, header.lengthBytes, header.lengthBytes, 0x1000];
  for (const [i, word] of words.entries()) file.writeBigUInt64LE(BigInt(word), at + 8 + i * 8);
}
