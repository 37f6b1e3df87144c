/**
 * Finds where each part of an initramfs ends, from its own framing and without unpacking it, so that a truncated
 * file is noticed at the price of a few reads. Each walk returns the offset after the part, beyond its start, or what
 * is wrong.
 */
import type { WindowedReader } from './windowed-reader.ts';

export type Walk =
  | { readonly kind: 'ends'; readonly offset: number }
  | { readonly kind: 'truncated' }
  | { readonly kind: 'damaged' };

const TRUNCATED: Walk = { kind: 'truncated' };
const DAMAGED: Walk = { kind: 'damaged' };

const CPIO_HEADER_BYTES = 110;
const CPIO_TRAILER = 'TRAILER!!!\0';
/** PATH_MAX of Linux: longer names are damage. */
const CPIO_MAX_NAME_BYTES = 4096;

/** A "newc" archive, up to its trailer (Linux, Documentation/driver-api/early-userspace/buffer-format.rst). */
export function walkCpio(reader: WindowedReader, start: number): Walk {
  let at = start;
  for (;;) {
    const header = reader.at(at, CPIO_HEADER_BYTES);
    if (header === undefined) return TRUNCATED;
    const text = Buffer.from(header).toString('latin1');
    if (!/^07070[12][0-9a-fA-F]{104}$/.test(text)) return DAMAGED;
    const fileBytes = Number.parseInt(text.slice(54, 62), 16);
    const nameBytes = Number.parseInt(text.slice(94, 102), 16);
    if (nameBytes === 0 || nameBytes > CPIO_MAX_NAME_BYTES) return DAMAGED;
    const name = reader.at(at + CPIO_HEADER_BYTES, nameBytes);
    if (name === undefined) return TRUNCATED;
    const isTrailer = Buffer.from(name).toString('latin1') === CPIO_TRAILER;
    const body = alignUp(at + CPIO_HEADER_BYTES + nameBytes);
    const end = alignUp(body + fileBytes);
    // The last file's padding may be missing.
    if (body + fileBytes > alignUp(reader.sizeBytes)) return TRUNCATED;
    if (isTrailer) return { kind: 'ends', offset: Math.min(end, reader.sizeBytes) };
    at = end;
  }
}

const ZSTD_MAGIC = 0xfd2fb528;
/** Skippable frames have sixteen magic numbers from here on. */
const ZSTD_SKIPPABLE_MAGIC = 0x184d2a50;

/** Zstandard frames (RFC 8878 §3.1 "Frames"). */
export function walkZstd(reader: WindowedReader, start: number): Walk {
  let at = start;
  for (;;) {
    const magic = u32(reader, at);
    if (magic === undefined) return at === start ? TRUNCATED : { kind: 'ends', offset: at };
    const isSkippable = (magic & 0xfffffff0) >>> 0 === ZSTD_SKIPPABLE_MAGIC;
    if (!isSkippable && magic !== ZSTD_MAGIC) return at === start ? DAMAGED : { kind: 'ends', offset: at };
    const frame = isSkippable ? walkSkippableFrame(reader, at) : walkZstdFrame(reader, at);
    if (frame.kind !== 'ends') return frame;
    at = frame.offset;
  }
}

function walkSkippableFrame(reader: WindowedReader, start: number): Walk {
  const sizeBytes = u32(reader, start + 4);
  return sizeBytes === undefined ? TRUNCATED : ends(reader, start + 8 + sizeBytes);
}

/** Frame header (§3.1.1.1), blocks (§3.1.1.2), and a checksum if the header says so. */
function walkZstdFrame(reader: WindowedReader, start: number): Walk {
  const descriptor = reader.at(start + 4, 1)?.[0];
  if (descriptor === undefined) return TRUNCATED;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3]!;
  let at = start + 5 + (isSingleSegment ? 0 : 1) + dictionaryIdBytes + contentSizeBytes;
  for (;;) {
    const header = reader.at(at, 3);
    if (header === undefined) return TRUNCATED;
    const bits = header[0]! | (header[1]! << 8) | (header[2]! << 16);
    const type = (bits >> 1) & 3;
    if (type === 3) return DAMAGED;
    at += 3 + (type === 1 ? 1 : bits >> 3); // a run-length block stores one byte
    if (bits & 1) return ends(reader, at + (descriptor & 4 ? 4 : 0));
  }
}

const LZ4_LEGACY_MAGIC = 0x184c2102;

/** A legacy LZ4 frame: blocks up to the end or a zero length, as the kernel reads it (Linux, lib/decompress_unlz4.c). */
export function walkLz4(reader: WindowedReader, start: number): Walk {
  let at = start;
  if (u32(reader, at) !== LZ4_LEGACY_MAGIC) return DAMAGED;
  while (at < reader.sizeBytes) {
    const blockBytes = u32(reader, at);
    if (blockBytes === undefined) return TRUNCATED;
    at += 4;
    if (blockBytes === 0) break;
    if (blockBytes === LZ4_LEGACY_MAGIC) continue;
    at += blockBytes;
    if (at > reader.sizeBytes) return TRUNCATED;
  }
  return { kind: 'ends', offset: at };
}

const XZ_STREAM_HEADER_BYTES = 12;
/** By the check's number in the stream flags (The .xz File Format 1.1.0 §2.1.1.2 "Stream Flags"). */
const XZ_CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];

/** One .xz stream: blocks, index, footer. */
export function walkXz(reader: WindowedReader, start: number): Walk {
  const head = reader.at(start, XZ_STREAM_HEADER_BYTES);
  if (head === undefined) return TRUNCATED;
  const checkBytes = XZ_CHECK_BYTES[head[7]! & 0x0f]!;
  let at = start + XZ_STREAM_HEADER_BYTES;
  for (;;) {
    const headerSize = reader.at(at, 1)?.[0];
    if (headerSize === undefined) return TRUNCATED;
    if (headerSize === 0) return walkXzIndex(reader, at);
    const data = walkLzma2(reader, at + (headerSize + 1) * 4);
    if (data.kind !== 'ends') return data;
    at = start + alignUp(data.offset - start) + checkBytes;
  }
}

/** LZMA2 chunks (§5.3.1 "LZMA2"), each with its packed length. */
function walkLzma2(reader: WindowedReader, start: number): Walk {
  let at = start;
  for (;;) {
    const control = reader.at(at, 1)?.[0];
    if (control === undefined) return TRUNCATED;
    if (control === 0) return { kind: 'ends', offset: at + 1 };
    if (control > 2 && control < 0x80) return DAMAGED;
    const isPacked = control >= 0x80;
    const sizes = reader.at(at + (isPacked ? 3 : 1), 2);
    if (sizes === undefined) return TRUNCATED;
    const hasProperties = control >= 0xc0;
    at += (isPacked ? 5 : 3) + (hasProperties ? 1 : 0) + ((sizes[0]! << 8) | sizes[1]!) + 1;
  }
}

/** The index (§4), whose records are variable-length numbers, then its CRC32 and the footer. */
function walkXzIndex(reader: WindowedReader, start: number): Walk {
  let at = start + 1;
  let count = 0;
  for (let number = 0; number <= count * 2; number++) {
    let value = 0;
    let byte: number | undefined;
    let shift = 0;
    do {
      byte = reader.at(at++, 1)?.[0];
      if (byte === undefined) return TRUNCATED;
      value += (byte & 0x7f) * 2 ** shift;
      shift += 7;
    } while (byte & 0x80);
    if (number === 0) count = value;
  }
  const footer = start + alignUp(at - start) + 4;
  const end = footer + XZ_STREAM_HEADER_BYTES;
  const magic = reader.at(end - 2, 2);
  if (magic === undefined) return TRUNCATED;
  return magic[0] === 0x59 && magic[1] === 0x5a ? { kind: 'ends', offset: end } : DAMAGED;
}

function ends(reader: WindowedReader, offset: number): Walk {
  return offset > reader.sizeBytes ? TRUNCATED : { kind: 'ends', offset };
}

function u32(reader: WindowedReader, at: number): number | undefined {
  const bytes = reader.at(at, 4);
  if (bytes === undefined) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
}

function alignUp(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}
