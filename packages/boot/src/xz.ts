/**
 * Unpacks .xz streams as the kernel's own decoder takes them: LZMA2, alone or behind the x86 filter, with CRC32
 * checks or none (The .xz File Format 1.1.0; Linux, Documentation/staging/xz.rst).
 */
import { decodeBcjX86 } from './bcj-x86.ts';
import { DecodeError, damaged } from './decode-error.ts';
import { LzmaDecoder } from './lzma.ts';

const STREAM_HEADER_BYTES = 12;
const MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const CHECK_NONE = 0;
const CHECK_CRC32 = 1;
const FILTER_X86 = 0x04;
const FILTER_LZMA2 = 0x21;

/** Unpacks the first stream into `output`, zeros at first; returns the bytes written. @throws DecodeError */
export function decodeXz(input: Uint8Array, output: Uint8Array): number {
  const reader = new XzReader(input);
  const check = readStreamHeader(reader);
  let written = 0;
  let blocks = 0;
  // A zero where a block header's size would be starts the index.
  while (reader.peek() !== 0) {
    written = decodeBlock(reader, check, output, written);
    blocks++;
  }
  checkIndex(reader, blocks);
  return written;
}

function readStreamHeader(reader: XzReader): number {
  const start = reader.take(STREAM_HEADER_BYTES);
  if (MAGIC.some((byte, i) => start[i] !== byte)) throw damaged('no xz stream');
  checkCrc(start.subarray(6, 8), readU32(start, 8));
  const check = start[7]!;
  if (start[6] !== 0 || (check !== CHECK_NONE && check !== CHECK_CRC32)) {
    throw new DecodeError('unsupported', 'an xz stream without CRC32 checks');
  }
  return check;
}

function decodeBlock(reader: XzReader, check: number, output: Uint8Array, start: number): number {
  const hasX86Filter = readBlockHeader(reader);
  const dataStart = reader.position;
  const end = decodeLzma2(reader, output, start);
  reader.skipPadding(reader.position - dataStart);
  const block = output.subarray(start, end);
  if (hasX86Filter) decodeBcjX86(block);
  if (check === CHECK_CRC32) checkCrc(block, readU32(reader.take(4), 0));
  return end;
}

/** Whether the block is behind the x86 filter. Sizes in the header are not needed: LZMA2 says where it ends. */
function readBlockHeader(reader: XzReader): boolean {
  const bytes = reader.take((reader.peek() + 1) * 4);
  const body = bytes.subarray(0, -4);
  checkCrc(body, readU32(bytes, body.length));
  const header = new XzReader(body);
  header.take(1);
  const flags = header.take(1)[0]!;
  if (flags & 0x3c) throw new DecodeError('unsupported', 'an xz block with unknown flags');
  if (flags & 0x40) header.vli();
  if (flags & 0x80) header.vli();
  const filters = Array.from({ length: (flags & 3) + 1 }, () => readFilter(header));
  if (filters.at(-1)?.id !== FILTER_LZMA2) throw damaged('an xz block that is not LZMA2');
  if (filters.length === 1) return false;
  // Its one property is an offset that packers leave out.
  const isX86 = filters.length === 2 && filters[0]!.id === FILTER_X86 && filters[0]!.properties.length === 0;
  if (!isX86) throw new DecodeError('unsupported', 'an xz filter that kernels do not use');
  return true;
}

function readFilter(header: XzReader): { id: number; properties: Uint8Array } {
  const id = header.vli();
  return { id, properties: header.take(header.vli()) };
}

/** LZMA2 chunks up to the end marker (The .xz File Format §5.3.1 "LZMA2"). */
function decodeLzma2(reader: XzReader, output: Uint8Array, start: number): number {
  const decoder = new LzmaDecoder(output);
  decoder.position = start;
  let needed: 'dictionary' | 'properties' | 'state' | 'nothing' = 'dictionary';
  for (;;) {
    const control = reader.take(1)[0]!;
    if (control === 0) return decoder.position;
    const resetsDictionary = control >= 0xe0 || control === 1;
    if (resetsDictionary) decoder.resetDictionary();
    else if (needed === 'dictionary') throw damaged('LZMA2 data without a dictionary reset');
    if (control >= 0x80) {
      decodeLzmaChunk(reader, decoder, control, output.length, needed);
      needed = 'nothing';
    } else {
      if (control > 2) throw damaged('an unknown LZMA2 chunk');
      const sizeBytes = readU16(reader.take(2)) + 1;
      checkRoom(decoder, sizeBytes, output.length);
      decoder.copy(reader.take(sizeBytes));
      if (needed === 'dictionary') needed = 'properties';
    }
  }
}

function decodeLzmaChunk(
  reader: XzReader,
  decoder: LzmaDecoder,
  control: number,
  limit: number,
  needed: string,
): void {
  const sizes = reader.take(4);
  const unpackedBytes = (control & 0x1f) * 0x10000 + readU16(sizes) + 1;
  const packedBytes = readU16(sizes.subarray(2)) + 1;
  if (control >= 0xc0) decoder.setProperties(reader.take(1)[0]!);
  else if (needed === 'dictionary' || needed === 'properties') throw damaged('LZMA2 data without properties');
  if (control >= 0xa0) decoder.resetState();
  checkRoom(decoder, unpackedBytes, limit);
  const end = decoder.position + unpackedBytes;
  const packed = reader.take(packedBytes);
  decoder.decode(packed, 0, packed.length, end);
  if (decoder.position !== end || decoder.inputPosition !== packed.length) {
    throw damaged('an LZMA2 chunk of another size than announced');
  }
}

function checkRoom(decoder: LzmaDecoder, sizeBytes: number, limit: number): void {
  if (decoder.position + sizeBytes > limit) {
    throw new DecodeError('too-large', 'xz data unpack to more than announced');
  }
}

/** The index repeats what was just read; it is checked for damage, and that the footer follows. */
function checkIndex(reader: XzReader, blocks: number): void {
  const start = reader.position;
  reader.take(1);
  if (reader.vli() !== blocks) throw damaged('an xz index of other blocks');
  for (let i = 0; i < blocks * 2; i++) reader.vli();
  reader.skipPadding(reader.position - start);
  checkCrc(reader.since(start), readU32(reader.take(4), 0));
  const footer = reader.take(STREAM_HEADER_BYTES);
  if (footer[10] !== 0x59 || footer[11] !== 0x5a) throw damaged('no xz footer');
}

function checkCrc(bytes: Uint8Array, expected: number): void {
  // Not imported: see byte-source.ts.
  const { crc32 } = process.getBuiltinModule('node:zlib');
  if (crc32(bytes) !== expected) throw damaged('an xz checksum does not match');
}

function readU16(bytes: Uint8Array): number {
  return (bytes[0]! << 8) | bytes[1]!;
}

function readU32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true);
}

/** Takes bytes from the front. */
class XzReader {
  readonly #bytes: Uint8Array;
  position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  peek(): number {
    const byte = this.#bytes[this.position];
    if (byte === undefined) throw damaged('an xz stream is cut short');
    return byte;
  }

  take(lengthBytes: number): Uint8Array {
    const end = this.position + lengthBytes;
    if (end > this.#bytes.length) throw damaged('an xz stream is cut short');
    const taken = this.#bytes.subarray(this.position, end);
    this.position = end;
    return taken;
  }

  since(start: number): Uint8Array {
    return this.#bytes.subarray(start, this.position);
  }

  /** Zeros that fill up to a multiple of four. */
  skipPadding(lengthBytes: number): void {
    const padding = this.take((4 - (lengthBytes % 4)) % 4);
    if (padding.some((byte) => byte !== 0)) throw damaged('xz padding that is not zeros');
  }

  /** A variable-length integer (§1.2 "Multibyte Integers"); exact up to 2⁵³, which no real one exceeds. */
  vli(): number {
    let value = 0;
    for (let i = 0; i < 9; i++) {
      const byte = this.take(1)[0]!;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw damaged('an xz integer is too long');
  }
}
