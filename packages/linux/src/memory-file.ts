/** Files that hold memory: memfd_create(2), seals (fcntl(2)), ftruncate(2), fallocate(2). */
import { closeFd } from './files.ts';
import { check } from './host-error.ts';
import { lazily } from './libc.ts';
import { type HugePageSize, hugePageSizeBits } from './memory.ts';

const MFD_CLOEXEC = 0x1;
const MFD_ALLOW_SEALING = 0x2;
const MFD_HUGETLB = 0x4;

const FALLOC_FL_KEEP_SIZE = 0x1;
const FALLOC_FL_PUNCH_HOLE = 0x2;

const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;

/** include/uapi/linux/fcntl.h F_SEAL_* */
const SEAL_BITS = { seal: 1, shrink: 2, grow: 4, write: 8, 'future-write': 16 } as const;
export type FileSeal = keyof typeof SEAL_BITS;

const memfdCreateCall = lazily<(name: string, flags: number) => number>(
  'int memfd_create(const char *, unsigned int)',
);
const ftruncateCall = lazily<(fd: number, length: number) => number>('int ftruncate(int, int64_t)');
const fallocateCall = lazily<(fd: number, mode: number, offset: number, length: number) => number>(
  'int fallocate(int, int, int64_t, int64_t)',
);
const fcntlCall = lazily<(fd: number, command: number, argument: number) => number>(
  'int fcntl(int, int, intptr_t)',
);

export interface MemfdOptions {
  /** Default: closed in programs that this process executes. */
  inherited?: boolean;
  allowSealing?: boolean;
  /** Huge pages out of the host's pool; the file's length must be a multiple. */
  hugePages?: HugePageSize;
}

/** A file in memory, of length 0. `name` shows in /proc/PID/maps as /memfd:NAME; at most 249 bytes. */
export function memfdCreate(name: string, options: MemfdOptions = {}): number {
  const { inherited = false, allowSealing = false, hugePages } = options;
  const flags =
    (inherited ? 0 : MFD_CLOEXEC) |
    (allowSealing ? MFD_ALLOW_SEALING : 0) |
    (hugePages === undefined ? 0 : MFD_HUGETLB | hugePageSizeBits(hugePages));
  return check(memfdCreateCall(name, flags), 'memfd_create', { subject: name });
}

/** Sets a file's length; what is added reads as zeroes. Memory files do not report EINTR. */
export function ftruncate(fd: number, lengthBytes: number): void {
  check(ftruncateCall(fd, lengthBytes), 'ftruncate', { subject: `to ${lengthBytes} bytes` });
}

/** A file in memory of a length, all zeroes; nothing is left open when the host refuses it. */
export function memoryFile(name: string, lengthBytes: number, options?: MemfdOptions): number {
  const fd = memfdCreate(name, options);
  try {
    ftruncate(fd, lengthBytes);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** Allocates the range now, so that it cannot fail later for want of space. May report EINTR; not repeated. */
export function preallocate(fd: number, offsetBytes: number, lengthBytes: number): void {
  check(fallocateCall(fd, 0, offsetBytes, lengthBytes), 'fallocate', { subject: `${lengthBytes} bytes` });
}

/** Gives the range back to the host; it reads as zeroes. May report EINTR; not repeated. */
export function punchHole(fd: number, offsetBytes: number, lengthBytes: number): void {
  const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  check(fallocateCall(fd, mode, offsetBytes, lengthBytes), 'fallocate', { subject: 'punching a hole' });
}

export function addSeals(fd: number, seals: readonly FileSeal[]): void {
  const bits = seals.reduce((all, seal) => all | SEAL_BITS[seal], 0);
  check(fcntlCall(fd, F_ADD_SEALS, bits), 'fcntl', { subject: 'F_ADD_SEALS' });
}

export function getSeals(fd: number): FileSeal[] {
  const bits = check(fcntlCall(fd, F_GET_SEALS, 0), 'fcntl', { subject: 'F_GET_SEALS' });
  return (Object.keys(SEAL_BITS) as FileSeal[]).filter((seal) => bits & SEAL_BITS[seal]);
}
