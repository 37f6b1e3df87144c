/**
 * The bzImage: a real-mode setup with its header, then protected-mode code that holds the compressed vmlinux (Linux
 * x86 boot protocol §1.2 "The Real-Mode Kernel Header", §1.3 "Details of Header Fields").
 */

import { UserError } from '@vireo/errors';
import { type ByteSource, readUpTo } from './byte-source.ts';

/** Offsets from the start of the file, which are those in the zero page, too. */
export const SETUP_HEADER = {
  setup_sects: 0x1f1,
  syssize: 0x1f4,
  boot_flag: 0x1fe,
  jump: 0x200,
  header: 0x202,
  version: 0x206,
  type_of_loader: 0x210,
  loadflags: 0x211,
  code32_start: 0x214,
  ramdisk_image: 0x218,
  ramdisk_size: 0x21c,
  cmd_line_ptr: 0x228,
  initrd_addr_max: 0x22c,
  kernel_alignment: 0x230,
  relocatable_kernel: 0x234,
  xloadflags: 0x236,
  cmdline_size: 0x238,
  payload_offset: 0x248,
  payload_length: 0x24c,
  setup_data: 0x250,
  pref_address: 0x258,
  init_size: 0x260,
} as const;

export const BOOT_FLAG = 0xaa55;
/** "HdrS". */
export const HEADER_MAGIC = 0x53726448;
/** The first protocol with xloadflags. */
const MIN_PROTOCOL_VERSION = 0x020c;
const LOADED_HIGH = 1 << 0;
const XLF_KERNEL_64 = 1 << 0;
const SECTOR_BYTES = 512;
/** The end of the header as protocol 2.15 has it. */
const HEAD_BYTES = 0x26c;
/** The largest a header can be: its length is the byte at 0x201, counted from 0x202. */
const MAX_HEADER_END = 0x202 + 0xff;
/** Where the 64-bit entry lies in the protected-mode code. */
export const ENTRY64_OFFSET = 0x200;

export interface SetupHeader {
  /** Bytes 0x1F1 up to the header's end, to be copied into the zero page. */
  readonly bytes: Uint8Array;
  readonly version: number;
  /** Where the protected-mode code starts in the file, and its length. */
  readonly codeOffset: number;
  readonly codeBytes: number;
  /** The compressed vmlinux, in the file. */
  readonly payloadOffset: number;
  readonly payloadBytes: number;
  readonly relocatable: boolean;
  readonly alignmentBytes: number;
  readonly prefAddress: number;
  /** Memory the kernel needs from its runtime address on, before it can look at the memory map. */
  readonly initSizeBytes: number;
  /** Highest address an initrd's last byte may have. */
  readonly initrdAddrMax: number;
  /** Longest command line, without the NUL. */
  readonly commandLineBytes: number;
}

export function isBzImage(head: Uint8Array): boolean {
  if (head.length < SETUP_HEADER.version) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  return (
    view.getUint16(SETUP_HEADER.boot_flag, true) === BOOT_FLAG &&
    view.getUint32(SETUP_HEADER.header, true) === HEADER_MAGIC
  );
}

/** @throws UserError when this machine cannot boot it. */
export function parseBzImage(source: ByteSource): SetupHeader {
  const head = readUpTo(source, 0, MAX_HEADER_END);
  if (head.length < HEAD_BYTES) throw truncated(source, HEAD_BYTES);
  const view = new DataView(head.buffer);
  checkBootable(source, view);
  const u32 = (at: number) => view.getUint32(at, true);
  const setupSectors = view.getUint8(SETUP_HEADER.setup_sects) || 4;
  const codeOffset = (setupSectors + 1) * SECTOR_BYTES;
  const codeBytes = u32(SETUP_HEADER.syssize) * 16;
  // The last paragraph need not be whole.
  if (codeOffset + codeBytes - 15 > source.sizeBytes) throw truncated(source, codeOffset + codeBytes);
  const headerEnd = Math.min(0x202 + view.getUint8(SETUP_HEADER.jump + 1), head.length);
  const header: SetupHeader = {
    bytes: head.slice(SETUP_HEADER.setup_sects, headerEnd),
    version: view.getUint16(SETUP_HEADER.version, true),
    codeOffset,
    codeBytes: Math.min(codeBytes, source.sizeBytes - codeOffset),
    payloadOffset: codeOffset + u32(SETUP_HEADER.payload_offset),
    payloadBytes: u32(SETUP_HEADER.payload_length),
    relocatable: view.getUint8(SETUP_HEADER.relocatable_kernel) !== 0,
    alignmentBytes: u32(SETUP_HEADER.kernel_alignment),
    prefAddress: Number(view.getBigUint64(SETUP_HEADER.pref_address, true)),
    initSizeBytes: u32(SETUP_HEADER.init_size),
    initrdAddrMax: u32(SETUP_HEADER.initrd_addr_max),
    commandLineBytes: u32(SETUP_HEADER.cmdline_size),
  };
  checkSizes(source, header);
  return header;
}

function checkBootable(source: ByteSource, view: DataView): void {
  const version = view.getUint16(SETUP_HEADER.version, true);
  if (version < MIN_PROTOCOL_VERSION) {
    throw new UserError(
      'kernel-too-old',
      `${source.name} has boot protocol ${version >> 8}.${version & 0xff}, without a 64-bit entry`,
      'Use a 64-bit kernel, Linux 3.8 or later.',
    );
  }
  const flags = view.getUint16(SETUP_HEADER.xloadflags, true);
  const isHigh = (view.getUint8(SETUP_HEADER.loadflags) & LOADED_HIGH) !== 0;
  if ((flags & XLF_KERNEL_64) === 0 || !isHigh) {
    throw new UserError(
      'kernel-32-bit',
      `${source.name} is a 32-bit kernel: it has no 64-bit entry`,
      'Use a kernel built for x86-64.',
    );
  }
}

function checkSizes(source: ByteSource, header: SetupHeader): void {
  const codeEnd = header.codeOffset + header.codeBytes;
  const problem =
    header.codeBytes <= ENTRY64_OFFSET
      ? 'its code is too short to have a 64-bit entry'
      : header.payloadBytes === 0 || header.payloadOffset + header.payloadBytes > codeEnd
        ? 'its payload lies outside its code'
        : header.prefAddress < 1 << 20 || header.prefAddress + header.initSizeBytes > 2 ** 32
          ? 'it wants to be loaded where kernels cannot be'
          : header.initSizeBytes < header.codeBytes
            ? 'it is larger than the memory it asks for'
            : undefined;
  if (problem === undefined) return;
  throw new UserError(
    'kernel-damaged',
    `${source.name} cannot be loaded: ${problem}`,
    'Copy or download the kernel again.',
  );
}

function truncated(source: ByteSource, neededBytes: number): UserError {
  return new UserError(
    'kernel-truncated',
    `${source.name} is truncated: it has ${source.sizeBytes} bytes, its headers tell of ${neededBytes}`,
    'Copy or download the kernel again.',
  );
}
