/**
 * Mappings of memory: mmap(2), munmap(2), mprotect(2), madvise(2), mincore(2).
 *
 * An `hva` is a host virtual address of this process. Lengths are rounded up to pages by the kernel. None of these
 * calls is interrupted by signals except madvise 'populate-write', which reports EINTR and is not repeated.
 */
import { check } from './host-error.ts';
import { lazily, type Pointer } from './libc.ts';

export type Protection = 'none' | 'read' | 'read-write' | 'read-execute' | 'read-write-execute';

/** include/uapi/asm-generic/mman-common.h PROT_* */
const PROTECTION_BITS: Readonly<Record<Protection, number>> = {
  none: 0,
  read: 1,
  'read-write': 3,
  'read-execute': 5,
  'read-write-execute': 7,
};

const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const MAP_POPULATE = 0x8000;
const MAP_HUGETLB = 0x40000;
/** Where a huge page's size goes, as the logarithm of its bytes (MAP_HUGE_SHIFT, MFD_HUGE_SHIFT). */
const HUGE_SHIFT = 26;

/** The sizes of x86-64's huge pages. */
export type HugePageSize = '2M' | '1G';
const HUGE_PAGE_LOG: Readonly<Record<HugePageSize, number>> = { '2M': 21, '1G': 30 };

/** The flag bits that mmap and memfd_create take for a huge page's size. */
export function hugePageSizeBits(size: HugePageSize): number {
  return HUGE_PAGE_LOG[size] << HUGE_SHIFT;
}

export interface MmapOptions {
  lengthBytes: number;
  /** Default: read-write. */
  protection?: Protection;
  /** Whether other mappings of the same file, and children, see the writes. Default: shared with a file, else private. */
  sharing?: 'shared' | 'private';
  /** The file to map; none means zeroed memory. */
  fd?: number;
  offsetBytes?: number;
  /** MAP_FIXED: exactly here, replacing whatever is mapped there, without asking. */
  fixedAtHva?: number;
  /** Do not count the memory against the host's commit limit. */
  noReserve?: boolean;
  /** Fault every page in now. */
  populate?: boolean;
  /** Anonymous huge pages out of the host's pool. */
  hugePages?: HugePageSize;
}

const mmapCall = lazily<
  (hva: number, length: number, prot: number, flags: number, fd: number, offset: number) => number
>('intptr_t mmap(intptr_t, size_t, int, int, int, int64_t)');
const munmapCall = lazily<(hva: number, length: number) => number>('int munmap(intptr_t, size_t)');
const mprotectCall = lazily<(hva: number, length: number, prot: number) => number>(
  'int mprotect(intptr_t, size_t, int)',
);
const madviseCall = lazily<(hva: number, length: number, advice: number) => number>(
  'int madvise(intptr_t, size_t, int)',
);
const mincoreCall = lazily<(hva: number, length: number, vector: Pointer) => number>(
  'int mincore(intptr_t, size_t, void *)',
);

/** Maps memory and returns its address. `Mapping.map` is the safer form. */
export function mmap(options: MmapOptions): number {
  const { lengthBytes, protection = 'read-write', fd = -1, offsetBytes = 0, fixedAtHva = 0 } = options;
  return check(
    mmapCall(fixedAtHva, lengthBytes, PROTECTION_BITS[protection], mmapFlags(options), fd, offsetBytes),
    'mmap',
    { subject: `of ${lengthBytes} bytes` },
  );
}

function mmapFlags(options: MmapOptions): number {
  const { fd, sharing = fd === undefined ? 'private' : 'shared', hugePages } = options;
  return (
    (sharing === 'shared' ? MAP_SHARED : MAP_PRIVATE) |
    (fd === undefined ? MAP_ANONYMOUS : 0) |
    (options.fixedAtHva === undefined ? 0 : MAP_FIXED) |
    (options.noReserve ? MAP_NORESERVE : 0) |
    (options.populate ? MAP_POPULATE : 0) |
    (hugePages === undefined ? 0 : MAP_HUGETLB | hugePageSizeBits(hugePages))
  );
}

/** Any ArrayBuffer over the range must have been given up: touching it afterwards is a crash. */
export function munmap(hva: number, lengthBytes: number): void {
  check(munmapCall(hva, lengthBytes), 'munmap');
}

export function mprotect(hva: number, lengthBytes: number, protection: Protection): void {
  check(mprotectCall(hva, lengthBytes, PROTECTION_BITS[protection]), 'mprotect', { subject: protection });
}

/** include/uapi/asm-generic/mman-common.h MADV_* */
const ADVICE = {
  normal: 0,
  random: 1,
  sequential: 2,
  'will-need': 3,
  'dont-need': 4,
  free: 8,
  remove: 9,
  'dont-fork': 10,
  'do-fork': 11,
  mergeable: 12,
  unmergeable: 13,
  'huge-page': 14,
  'no-huge-page': 15,
  'dont-dump': 16,
  'do-dump': 17,
  cold: 20,
  'page-out': 21,
  'populate-read': 22,
  'populate-write': 23,
  collapse: 25,
} as const;

/** madvise(2)'s advice: `dont-need` is MADV_DONTNEED, and so on. */
export type MemoryAdvice = keyof typeof ADVICE;

export function madvise(hva: number, lengthBytes: number, advice: MemoryAdvice): void {
  check(madviseCall(hva, lengthBytes, ADVICE[advice]), 'madvise', { subject: advice });
}

/** Which pages are in memory: one byte for each, whose lowest bit says so. */
export function mincore(hva: number, lengthBytes: number): Uint8Array {
  const pages = new Uint8Array(Math.ceil(lengthBytes / 4096));
  check(mincoreCall(hva, lengthBytes, pages), 'mincore');
  return pages;
}
