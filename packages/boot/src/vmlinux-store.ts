/**
 * Unpacked kernels on disk, by the SHA-256 of the bzImage they came from. Each file ends in a trailer with the
 * SHA-256 of what precedes it, which tells a damaged entry from a good one.
 */
import type { Hash } from 'node:crypto';
import { FileSource, readUpTo } from './byte-source.ts';
import { writeCacheFile } from './cache-file.ts';

// Not imported: see byte-source.ts.
const { existsSync } = process.getBuiltinModule('node:fs');
const { join } = process.getBuiltinModule('node:path');

/** An entry has the size of a kernel, 30 MB. */
const MAX_ENTRIES = 8;
const TRAILER_MAGIC = 'vireo vmlinux 1\n';
const HASH_BYTES = 32;
const TRAILER_BYTES = TRAILER_MAGIC.length + HASH_BYTES;
const CHUNK_BYTES = 1 << 20;

export class VmlinuxStore {
  readonly #directory: string;

  constructor(cacheDirectory: string) {
    this.#directory = join(cacheDirectory, 'vmlinux');
  }

  /** The entry as it is, unchecked; undefined when there is none. */
  open(sha256: string): FileSource | undefined {
    const path = this.#path(sha256);
    if (!existsSync(path)) return undefined;
    try {
      return new FileSource(path);
    } catch {
      return undefined;
    }
  }

  /** The entry, if it is whole. Costs reading all of it. */
  openVerified(sha256: string): FileSource | undefined {
    const source = this.open(sha256);
    if (source === undefined) return undefined;
    if (isWhole(source)) return source;
    source.close();
    return undefined;
  }

  /** Stores an entry and opens it; undefined when the cache cannot be written. */
  write(sha256: string, pieces: readonly Uint8Array[]): FileSource | undefined {
    const hash = sha256Hash();
    for (const piece of pieces) hash.update(piece);
    const trailer = Buffer.concat([Buffer.from(TRAILER_MAGIC), hash.digest()]);
    const isWritten = writeCacheFile(this.#path(sha256), [...pieces, trailer], MAX_ENTRIES);
    return isWritten ? this.open(sha256) : undefined;
  }

  #path(sha256: string): string {
    return join(this.#directory, `${sha256}.elf`);
  }
}

function isWhole(source: FileSource): boolean {
  const bodyBytes = source.sizeBytes - TRAILER_BYTES;
  if (bodyBytes < 0) return false;
  const trailer = Buffer.from(readUpTo(source, bodyBytes, TRAILER_BYTES));
  if (trailer.toString('latin1', 0, TRAILER_MAGIC.length) !== TRAILER_MAGIC) return false;
  const hash = sha256Hash();
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let at = 0; at < bodyBytes; at += CHUNK_BYTES) {
    const piece = chunk.subarray(0, Math.min(CHUNK_BYTES, bodyBytes - at));
    source.read(piece, at);
    hash.update(piece);
  }
  return hash.digest().equals(trailer.subarray(TRAILER_MAGIC.length));
}

/** A hash of what a cache entry is named after, or of the entry itself. */
export function sha256Hash(): Hash {
  return process.getBuiltinModule('node:crypto').createHash('sha256');
}
