/**
 * Bytes to load from: a file, read piece by piece straight to where it belongs, or an array. What is in them was
 * written by somebody else: readers check every offset against `sizeBytes` and allocate nothing by what they say.
 */
import type { BigIntStats } from 'node:fs';
import { UserError } from '@vireo/errors';

// On the way to the guest's first instruction: an ES import of node:fs takes 8 ms, of node:zlib 10 and of node:crypto
// 25, since it reads every export. So this package takes built-in modules from the process, and the last two only
// where something is to be unpacked.
const { closeSync, constants, fstatSync, openSync, readSync } = process.getBuiltinModule('node:fs');

export interface ByteSource {
  /** For messages: the path, as the user gave it. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Fills the whole target from `offset` on. @throws UserError 'file-truncated' where the source ends before that. */
  read(target: Uint8Array, offset: number): void;
}

/** Bytes already in memory. */
export class ArraySource implements ByteSource {
  readonly name: string;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, name = 'kernel') {
    this.#bytes = bytes;
    this.name = name;
  }

  get sizeBytes(): number {
    return this.#bytes.byteLength;
  }

  read(target: Uint8Array, offset: number): void {
    if (offset < 0 || offset + target.byteLength > this.#bytes.byteLength) throw truncated(this.name);
    target.set(this.#bytes.subarray(offset, offset + target.byteLength));
  }
}

/** What tells one state of a file from another without reading it. */
export interface FileIdentity {
  /** Device, inode, size and times: differs whenever the contents may. Fit to be a file name. */
  readonly key: string;
  /** When contents or inode changed last, in nanoseconds since 1970. */
  readonly ctimeNs: bigint;
}

/** A regular file, open for reading. */
export class FileSource implements ByteSource {
  readonly name: string;
  readonly sizeBytes: number;
  readonly identity: FileIdentity;
  readonly fd: number;
  #closed = false;

  /** @throws UserError when the file is missing, not readable or not a regular file. */
  constructor(path: string) {
    this.name = path;
    this.fd = open(path);
    const stats = fstatSync(this.fd, { bigint: true });
    if (!stats.isFile()) {
      closeSync(this.fd);
      throw new UserError('file-not-regular', `${path} is ${fileType(stats)}, not a file`, 'Name a file.');
    }
    this.sizeBytes = Number(stats.size);
    this.identity = identityOf(stats);
  }

  read(target: Uint8Array, offset: number): void {
    let done = 0;
    while (done < target.byteLength) {
      const lengthBytes = Math.min(target.byteLength - done, MAX_READ_BYTES);
      const count = readSync(this.fd, target, done, lengthBytes, offset + done);
      if (count === 0) throw truncated(this.name);
      done += count;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.fd);
  }
}

/** read(2) transfers at most 0x7ffff000 bytes at once. */
const MAX_READ_BYTES = 1 << 30;

/** Reads a piece of at most `lengthBytes`; shorter where the source ends. The caller bounds the length. */
export function readUpTo(source: ByteSource, offset: number, lengthBytes: number): Uint8Array {
  const available = Math.max(0, Math.min(lengthBytes, source.sizeBytes - offset));
  const bytes = new Uint8Array(available);
  source.read(bytes, offset);
  return bytes;
}

function open(path: string): number {
  try {
    // Without O_NONBLOCK, opening a FIFO would wait for its writer.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw openError(path, error);
  }
}

function openError(path: string, cause: unknown): UserError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new UserError('file-not-found', `${path} does not exist`, 'Check the path.', { cause });
    case 'EACCES':
    case 'EPERM':
      return new UserError(
        'file-no-permission',
        `${path} may not be read by this user`,
        'Make it readable (chmod a+r), or copy it to a place where it is.',
        { cause },
      );
    default: {
      const reason = typeof code === 'string' ? code : String(cause);
      return new UserError('file-unreadable', `${path} cannot be opened: ${reason}`, 'Name another file.', {
        cause,
      });
    }
  }
}

function identityOf(stats: BigIntStats): FileIdentity {
  const { dev, ino, size, mtimeNs, ctimeNs } = stats;
  return { key: `${dev}-${ino}-${size}-${mtimeNs}-${ctimeNs}`, ctimeNs };
}

function fileType(stats: BigIntStats): string {
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a named pipe';
  if (stats.isSocket()) return 'a socket';
  return 'a device';
}

function truncated(name: string): UserError {
  return new UserError(
    'file-truncated',
    `${name} ends before what its headers announce`,
    'Copy or download it again.',
  );
}
