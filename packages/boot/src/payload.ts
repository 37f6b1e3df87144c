/**
 * Unpacks the vmlinux inside a bzImage (Linux x86 boot protocol §1.3, "payload_offset"; scripts/Makefile.lib of
 * Linux for what each compressor is called with). The build appends the unpacked length, 32 bits, to every format
 * but gzip, which ends with it of its own.
 */
import { DecodeError, damaged } from './decode-error.ts';
import { decodeLz4Legacy } from './lz4.ts';
import { decodeLzmaAlone } from './lzma.ts';
import { decodeXz } from './xz.ts';

export type Compression = 'gzip' | 'bzip2' | 'lzma' | 'xz' | 'lzo' | 'lz4' | 'zstd';

type Zlib = typeof import('node:zlib');
type Unpackable = Exclude<Compression, 'bzip2' | 'lzo'>;

/** The first bytes by which the kernel tells them apart (Linux, lib/decompress.c), in Latin-1. */
const MAGIC: readonly (readonly [string, Compression])[] = [
  ['\x1f\x8b', 'gzip'],
  ['\x1f\x9e', 'gzip'],
  ['BZ', 'bzip2'],
  ['\x5d\x00', 'lzma'],
  ['\xfd7', 'xz'],
  ['\x89L', 'lzo'],
  ['\x02\x21', 'lz4'],
  ['\x28\xb5', 'zstd'],
];

export function detectCompression(head: Uint8Array): Compression | undefined {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, 2)).toString('latin1');
  return MAGIC.find(([magic]) => text === magic)?.[1];
}

/** No kernel unpacks to more, whatever its header says. */
const MAX_UNPACKED_BYTES = 512 << 20;
const LENGTH_BYTES = 4;
/** Room that zlib wants beyond what it writes, or it allocates a second buffer as large. */
const ZLIB_SLACK_BYTES = 64;

/**
 * Unpacks all of it. `limitBytes` is what the kernel's header lets it grow to (init_size): in the guest, it is
 * unpacked in place within that.
 * @throws DecodeError 'unsupported' for a compressor this host-side path lacks; the kernel still unpacks itself.
 */
export function unpackPayload(payload: Uint8Array, limitBytes: number): Uint8Array {
  const compression = detectCompression(payload);
  if (compression === undefined || compression === 'bzip2' || compression === 'lzo') {
    throw new DecodeError('unsupported', `${compression ?? 'an unknown'} compression`);
  }
  if (payload.length < LENGTH_BYTES) throw damaged('the payload is cut short');
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const lengthBytes = view.getUint32(payload.length - LENGTH_BYTES, true);
  if (lengthBytes > Math.min(limitBytes, MAX_UNPACKED_BYTES)) {
    throw new DecodeError('too-large', `${lengthBytes} bytes announced, more than the kernel's memory`);
  }
  const packed = compression === 'gzip' ? payload : payload.subarray(0, -LENGTH_BYTES);
  const unpacked = unpack(compression, packed, lengthBytes);
  if (unpacked.length !== lengthBytes) throw damaged('the payload unpacks to another length than announced');
  return unpacked;
}

function unpack(compression: Unpackable, packed: Uint8Array, lengthBytes: number): Uint8Array {
  switch (compression) {
    case 'gzip':
      return withZlib((zlib) => zlib.gunzipSync(packed, zlibOptions(lengthBytes)));
    case 'zstd':
      return withZlib((zlib) => zlib.zstdDecompressSync(packed, zlibOptions(lengthBytes)));
    case 'lz4':
      return into(lengthBytes, (output) => decodeLz4Legacy(packed, output));
    case 'xz':
      return into(lengthBytes, (output) => decodeXz(packed, output));
    case 'lzma':
      return into(lengthBytes, (output) => decodeLzmaAlone(packed, output));
  }
}

function into(lengthBytes: number, decode: (output: Uint8Array) => number): Uint8Array {
  const output = new Uint8Array(lengthBytes);
  return output.subarray(0, decode(output));
}

function zlibOptions(lengthBytes: number): { chunkSize: number; maxOutputLength: number } {
  return { chunkSize: lengthBytes + ZLIB_SLACK_BYTES, maxOutputLength: Math.max(1, lengthBytes) };
}

function withZlib(unpack: (zlib: Zlib) => Uint8Array): Uint8Array {
  // Not imported: see byte-source.ts.
  const zlib = process.getBuiltinModule('node:zlib');
  try {
    return unpack(zlib);
  } catch (error) {
    const isTooLarge = error instanceof RangeError;
    throw new DecodeError(isTooLarge ? 'too-large' : 'damaged', String(error));
  }
}
