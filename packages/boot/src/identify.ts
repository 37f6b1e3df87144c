/** Tells what a file offered as a kernel is: one this machine can boot, or else what, and what to do about it. */

import { UserError } from '@vireo/errors';
import { type ByteSource, FileSource, readUpTo } from './byte-source.ts';
import { isBzImage, parseBzImage, type SetupHeader } from './bzimage.ts';
import { type ElfImage, isElf, parseElf } from './elf.ts';

export type KernelImage =
  /** An uncompressed kernel with a PVH entry. */
  | { readonly kind: 'pvh-elf'; readonly elf: ElfImage; readonly pvhEntryGpa: number }
  /** An uncompressed 64-bit Linux without one: entered as the 64-bit boot protocol says. */
  | { readonly kind: 'elf'; readonly elf: ElfImage }
  | { readonly kind: 'bzimage'; readonly header: SetupHeader };

/** Enough for every magic number below. */
const HEAD_BYTES = 1024;

/** @throws UserError naming what the file is, when it is no kernel for this machine. */
export function identifyKernel(source: ByteSource): KernelImage {
  const head = readUpTo(source, 0, HEAD_BYTES);
  if (head.length === 0) {
    throw new UserError('kernel-empty', `${source.name} is empty`, 'Copy or download the kernel again.');
  }
  if (isElf(head)) return identifyElf(source);
  if (isBzImage(head)) return { kind: 'bzimage', header: parseBzImage(source) };
  throw notAKernel(source, head);
}

/** Identifies a file by its path. @throws UserError also when it cannot be read. */
export function identifyKernelFile(path: string): KernelImage {
  const source = new FileSource(path);
  try {
    return identifyKernel(source);
  } finally {
    source.close();
  }
}

function identifyElf(source: ByteSource): KernelImage {
  const elf = parseElf(source);
  const { pvhEntryGpa } = elf;
  if (pvhEntryGpa !== undefined) {
    if (!isLoaded(elf, pvhEntryGpa)) {
      throw new UserError(
        'kernel-damaged',
        `${source.name} cannot be loaded: its PVH entry lies outside its segments`,
        'Copy or download the kernel again.',
      );
    }
    return { kind: 'pvh-elf', elf, pvhEntryGpa };
  }
  if (isLinux64(elf)) return { kind: 'elf', elf };
  throw new UserError(
    'kernel-no-entry',
    `${source.name} is an ELF executable without a PVH entry note, and no 64-bit Linux kernel`,
    'Name a bzImage (vmlinuz), or a vmlinux built with CONFIG_PVH=y.',
  );
}

/** vmlinux is linked in the upper half of the address space, but its e_entry is a physical address. */
export function isLinux64(elf: ElfImage): boolean {
  const isKernelHalf = elf.segments.some((segment) => segment.gva >= 0xffff_8000_0000_0000n);
  return elf.bits === 64 && isKernelHalf && elf.entry < 2n ** 32n && isLoaded(elf, Number(elf.entry));
}

function isLoaded(elf: ElfImage, gpa: number): boolean {
  return elf.segments.some((segment) => gpa >= segment.gpa && gpa < segment.gpa + segment.fileBytes);
}

interface Lookalike {
  readonly offset: number;
  readonly magic: string;
  readonly what: string;
  readonly fix?: string;
}

const UNPACK_FIX = 'Unpack it first, or name the bzImage (vmlinuz) or vmlinux itself.';

/** Magic numbers, in Latin-1. */
const LOOKALIKES: readonly Lookalike[] = [
  { offset: 0x38, magic: 'ARM\x64', what: 'an arm64 kernel Image', fix: 'Name a kernel built for x86-64.' },
  { offset: 0x38, magic: 'RSC\x05', what: 'a RISC-V kernel Image', fix: 'Name a kernel built for x86-64.' },
  { offset: 0, magic: '\x1f\x8b', what: 'a gzip file', fix: UNPACK_FIX },
  { offset: 0, magic: '\xfd7zXZ\0', what: 'an xz file', fix: UNPACK_FIX },
  { offset: 0, magic: '\x28\xb5\x2f\xfd', what: 'a zstd file', fix: UNPACK_FIX },
  { offset: 0, magic: '\x02\x21\x4c\x18', what: 'an lz4 file', fix: UNPACK_FIX },
  { offset: 0, magic: '\x04\x22\x4d\x18', what: 'an lz4 file', fix: UNPACK_FIX },
  { offset: 0, magic: 'BZh', what: 'a bzip2 file', fix: UNPACK_FIX },
  {
    offset: 0,
    magic: '07070',
    what: 'an initramfs (cpio)',
    fix: 'Pass it with --initrd, and a kernel with --kernel.',
  },
  {
    offset: 0,
    magic: '!<arch>\ndebian',
    what: 'a Debian package',
    fix: 'Unpack it (dpkg -x) and name boot/vmlinuz-* inside it.',
  },
  {
    offset: 0,
    magic: '\xed\xab\xee\xdb',
    what: 'an RPM package',
    fix: 'Unpack it and name the vmlinuz inside it.',
  },
  { offset: 0, magic: 'QFI\xfb', what: 'a qcow2 disk image' },
  { offset: 0, magic: '\x27\x05\x19\x56', what: 'a U-Boot image' },
  { offset: 0x101, magic: 'ustar', what: 'a tar archive', fix: UNPACK_FIX },
  { offset: 0, magic: 'PK\x03\x04', what: 'a zip archive', fix: UNPACK_FIX },
  { offset: 0x1fe, magic: '\x55\xaa', what: 'a boot sector or disk image' },
  { offset: 0, magic: 'MZ', what: 'an EFI or DOS program without a Linux setup header' },
];

function notAKernel(source: ByteSource, head: Uint8Array): UserError {
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1');
  const found = LOOKALIKES.find(({ offset, magic }) => text.startsWith(magic, offset));
  const what = found?.what ?? (isText(head) ? 'a text file' : isZeros(head) ? 'all zeros' : undefined);
  return new UserError(
    'kernel-unrecognised',
    what === undefined
      ? `${source.name} is not a kernel: neither a bzImage nor an ELF file`
      : `${source.name} is ${what}, not a kernel`,
    found?.fix ?? 'Name a bzImage (vmlinuz) or a vmlinux.',
  );
}

function isText(head: Uint8Array): boolean {
  return head.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d));
}

function isZeros(head: Uint8Array): boolean {
  return head.every((byte) => byte === 0);
}
