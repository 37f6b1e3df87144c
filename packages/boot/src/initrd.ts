/**
 * Opens an initrd and looks whether it is whole, since a truncated one only shows as a panic deep in the guest's
 * boot. What Linux accepts: parts one after another, each a cpio archive or a compressed one, zeros between (Linux,
 * init/initramfs.c, unpack_to_rootfs); or an image of a file system, which is taken as it is.
 */

import { UserError } from '@vireo/errors';
import { type Walk, walkCpio, walkLz4, walkXz, walkZstd } from './archive-walk.ts';
import { type ByteSource, FileSource, readUpTo } from './byte-source.ts';
import { isBzImage } from './bzimage.ts';
import { isElf } from './elf.ts';
import { FileIndex } from './file-index.ts';
import { walkGzip } from './gzip-walk.ts';
import { detectCompression } from './payload.ts';
import { WindowedReader } from './windowed-reader.ts';

const HEAD_BYTES = 2048;

export interface OpenInitrdOptions {
  /** Where it is noted that the file was found whole, so that it is not read through again. */
  readonly cacheDirectory: string;
}

/** @throws UserError when it is missing, empty, truncated, damaged or no initrd. */
export async function openInitrd(path: string, options: OpenInitrdOptions): Promise<FileSource> {
  const source = new FileSource(path);
  try {
    const index = new FileIndex(options.cacheDirectory);
    if (index.find(source.identity)?.kind === 'initrd') return source;
    await checkInitrd(source);
    index.record(source.identity, { kind: 'initrd' });
    return source;
  } catch (error) {
    source.close();
    throw error;
  }
}

/** @throws UserError when the guest's kernel could not unpack it. */
export async function checkInitrd(source: ByteSource): Promise<void> {
  const head = readUpTo(source, 0, HEAD_BYTES);
  if (head.length === 0) throw broken('empty', source, 'is empty');
  if (isFileSystem(head)) return;
  const reader = new WindowedReader(source);
  const first = skipZeros(reader, 0);
  if (isElf(head) || isBzImage(head) || first === source.sizeBytes) throw unrecognised(source, head);
  for (let at = first; at < source.sizeBytes; ) {
    const part = await walkPart(source, reader, at);
    if (part === 'unchecked') return;
    if (part === undefined && at === first) throw unrecognised(source, head);
    if (part === undefined || part.kind === 'damaged') throw broken('damaged', source, 'is damaged');
    if (part.kind === 'truncated') {
      throw broken('truncated', source, 'is truncated: it ends in the middle of its data');
    }
    at = skipZeros(reader, part.offset);
  }
}

/** Undefined for what is no part; 'unchecked' where only unpacking could tell the end. */
async function walkPart(
  source: ByteSource,
  reader: WindowedReader,
  at: number,
): Promise<Walk | 'unchecked' | undefined> {
  const magic = reader.at(at, 2);
  if (magic === undefined) return undefined;
  if (magic[0] === 0x30 && magic[1] === 0x37) return walkCpio(reader, at);
  switch (detectCompression(magic)) {
    case 'gzip':
      return walkGzip(source, at);
    case 'zstd':
      return walkZstd(reader, at);
    case 'xz':
      return walkXz(reader, at);
    case 'lz4':
      return walkLz4(reader, at);
    case 'bzip2':
    case 'lzma':
    case 'lzo':
      return 'unchecked';
    case undefined:
      return undefined;
  }
}

function skipZeros(reader: WindowedReader, start: number): number {
  let at = start;
  while (at < reader.sizeBytes && reader.at(at, 1)?.[0] === 0) at++;
  return at;
}

/** Images for the old initrd mechanism (Linux, init/do_mounts_rd.c): offset and magic number in Latin-1. */
const FILE_SYSTEMS: readonly (readonly [number, string])[] = [
  [0x438, '\x53\xef'], // ext2, ext3, ext4
  [0, 'hsqs'], // squashfs
  [0, '\x45\x3d\xcd\x28'], // cramfs
  [0, '-rom1fs-'],
];

function isFileSystem(head: Uint8Array): boolean {
  const text = Buffer.from(head).toString('latin1');
  return FILE_SYSTEMS.some(([offset, magic]) => text.startsWith(magic, offset));
}

function broken(code: string, source: ByteSource, what: string): UserError {
  return new UserError(`initrd-${code}`, `the initrd ${source.name} ${what}`, 'Build it or copy it again.');
}

function unrecognised(source: ByteSource, head: Uint8Array): UserError {
  if (isElf(head) || isBzImage(head)) {
    return new UserError(
      'initrd-unrecognised',
      `the initrd ${source.name} is a kernel or program, not an initrd`,
      'Pass the kernel with --kernel, and an initramfs with --initrd.',
    );
  }
  return new UserError(
    'initrd-unrecognised',
    `the initrd ${source.name} is neither a cpio archive, compressed or not, nor a file system image`,
    'Build it with cpio -H newc, or with the distribution’s tool (mkinitramfs, dracut).',
  );
}
