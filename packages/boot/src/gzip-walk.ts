/**
 * Finds where a gzip member ends (RFC 1952 §2.3 "Member format"). Deflate has no framing, so it is inflated, on a
 * thread of Node's pool, and thrown away; the checksum is compared on the way. Node's own gunzip does not say where a
 * member ends that something else follows.
 */
import type { Walk } from './archive-walk.ts';
import { type ByteSource, readUpTo } from './byte-source.ts';

const CHUNK_BYTES = 1 << 20;
/** Beyond this, a member is not worth inflating only to find its end. */
const MAX_INFLATED_BYTES = 8 * 2 ** 30;
const FIXED_HEADER_BYTES = 10;
/** A header with a name and a comment that is longer than this is damage. */
const MAX_HEADER_BYTES = 4096;
const TRAILER_BYTES = 8;
const FHCRC = 1 << 1;
const FEXTRA = 1 << 2;
const FNAME = 1 << 3;
const FCOMMENT = 1 << 4;

/** 'unchecked' for a member too large to be inflated. */
export async function walkGzip(source: ByteSource, start: number): Promise<Walk | 'unchecked'> {
  const head = readUpTo(source, start, MAX_HEADER_BYTES);
  const headerBytes = gzipHeaderBytes(head);
  if (headerBytes === undefined) return { kind: head.length < MAX_HEADER_BYTES ? 'truncated' : 'damaged' };
  const inflated = await inflate(source, start + headerBytes);
  if (typeof inflated === 'string') return inflated === 'unchecked' ? inflated : { kind: inflated };
  const trailer = readUpTo(source, inflated.end, TRAILER_BYTES);
  if (trailer.length < TRAILER_BYTES) return { kind: 'truncated' };
  const view = new DataView(trailer.buffer);
  const isRight =
    view.getUint32(0, true) === inflated.crc && view.getUint32(4, true) === inflated.lengthBytes % 2 ** 32;
  return isRight ? { kind: 'ends', offset: inflated.end + TRAILER_BYTES } : { kind: 'damaged' };
}

interface Inflated {
  /** Offset after the deflated data. */
  readonly end: number;
  readonly crc: number;
  readonly lengthBytes: number;
}

async function inflate(
  source: ByteSource,
  start: number,
): Promise<Inflated | 'truncated' | 'damaged' | 'unchecked'> {
  // Not imported: see byte-source.ts.
  const { crc32, createInflateRaw } = process.getBuiltinModule('node:zlib');
  const { Readable, Writable } = process.getBuiltinModule('node:stream');
  const { pipeline } = process.getBuiltinModule('node:stream/promises');
  const inflater = createInflateRaw({ chunkSize: CHUNK_BYTES });
  let lengthBytes = 0;
  let crc = 0;
  const sink = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      lengthBytes += chunk.length;
      crc = crc32(chunk, crc);
      done(lengthBytes > MAX_INFLATED_BYTES ? new Error('enough') : null);
    },
  });
  try {
    await pipeline(Readable.from(chunks(source, start)), inflater, sink);
  } catch (error) {
    if (lengthBytes > MAX_INFLATED_BYTES) return 'unchecked';
    return isUnexpectedEnd(error) ? 'truncated' : 'damaged';
  }
  return { end: start + inflater.bytesWritten, crc, lengthBytes };
}

/** The length of the header, or undefined where it does not end. */
function gzipHeaderBytes(head: Uint8Array): number | undefined {
  const flags = head[3];
  if (flags === undefined || head.length < FIXED_HEADER_BYTES) return undefined;
  let at = FIXED_HEADER_BYTES;
  if (flags & FEXTRA) at += 2 + ((head[at] ?? 0) | ((head[at + 1] ?? 0) << 8));
  for (const flag of [FNAME, FCOMMENT]) {
    if ((flags & flag) === 0) continue;
    const end = head.indexOf(0, at);
    if (end < 0) return undefined;
    at = end + 1;
  }
  if (flags & FHCRC) at += 2;
  return at < head.length ? at : undefined;
}

function* chunks(source: ByteSource, start: number): Generator<Uint8Array> {
  for (let at = start; at < source.sizeBytes; at += CHUNK_BYTES) yield readUpTo(source, at, CHUNK_BYTES);
}

function isUnexpectedEnd(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'Z_BUF_ERROR';
}
