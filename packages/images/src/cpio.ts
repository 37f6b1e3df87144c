/**
 * Writes cpio archives in the "newc" format, the one Linux takes as an initramfs
 * (Documentation/driver-api/early-userspace/buffer-format.rst "initramfs buffer format").
 * The same entries always make the same bytes.
 */

export type CpioEntry =
  | { readonly kind: 'file'; readonly path: string; readonly mode?: number; readonly data: Uint8Array }
  | { readonly kind: 'directory'; readonly path: string; readonly mode?: number }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  | {
      readonly kind: 'character-device' | 'block-device';
      readonly path: string;
      readonly mode?: number;
      readonly major: number;
      readonly minor: number;
    };

/** File type bits of st_mode (inode(7)). */
const TYPE_BITS = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  'character-device': 0o020000,
  'block-device': 0o060000,
} as const;

const TRAILER = 'TRAILER!!!';
/** Linux takes any 4-byte padded length; whole sectors let archives be concatenated and read as a disk. */
const ARCHIVE_ALIGNMENT = 512;
const NEWC_MAGIC = '070701';
/** c_filesize is eight hexadecimal digits. */
const MAX_FILE_BYTES = 0xffff_ffff;

interface Header {
  readonly inode: number;
  readonly mode: number;
  readonly links: number;
  readonly fileBytes: number;
  readonly major: number;
  readonly minor: number;
}

/** The archive of these entries, in order: a directory must come before what is in it. */
export function* cpioArchive(entries: Iterable<CpioEntry>): Generator<Uint8Array> {
  let inode = 0;
  let length = 0;
  for (const entry of entries) {
    const data = contentOf(entry);
    if (entry.path === TRAILER || entry.path.includes('\0')) {
      throw new RangeError('a cpio archive cannot hold a file of that name');
    }
    if (data.length > MAX_FILE_BYTES) throw new RangeError(`${entry.path} is too large for a cpio archive`);
    const device = 'major' in entry ? entry : { major: 0, minor: 0 };
    const header: Header = {
      inode: ++inode,
      mode: TYPE_BITS[entry.kind] | permissionsOf(entry),
      links: entry.kind === 'directory' ? 2 : 1,
      fileBytes: data.length,
      major: device.major,
      minor: device.minor,
    };
    for (const chunk of [headerAndName(header, entry.path), data, padding(data.length, 4)]) {
      length += chunk.length;
      yield chunk;
    }
  }
  const trailer = headerAndName({ inode: 0, mode: 0, links: 1, fileBytes: 0, major: 0, minor: 0 }, TRAILER);
  yield trailer;
  yield padding(length + trailer.length, ARCHIVE_ALIGNMENT);
}

function contentOf(entry: CpioEntry): Uint8Array {
  if (entry.kind === 'file') return entry.data;
  return entry.kind === 'symlink' ? Buffer.from(entry.target) : new Uint8Array();
}

function permissionsOf(entry: CpioEntry): number {
  if (entry.kind === 'symlink') return 0o777;
  return entry.mode ?? (entry.kind === 'file' ? 0o644 : entry.kind === 'directory' ? 0o755 : 0o600);
}

function headerAndName(header: Header, path: string): Uint8Array {
  const name = Buffer.from(`${path}\0`);
  const mtime = 0; // no time of day, so that archives are reproducible
  const fields = [
    ...[header.inode, header.mode, 0, 0, header.links, mtime, header.fileBytes],
    ...[0, 0, header.major, header.minor, name.length, 0],
  ];
  const text = NEWC_MAGIC + fields.map((field) => field.toString(16).padStart(8, '0')).join('');
  return Buffer.concat([Buffer.from(text), name, padding(text.length + name.length, 4)]);
}

function padding(length: number, alignment: number): Uint8Array {
  return new Uint8Array((alignment - (length % alignment)) % alignment);
}
