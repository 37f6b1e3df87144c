/**
 * Host memory that stands behind guest physical memory.
 *
 * Guest RAM is a file mapped shared (a memfd above all), so that KSM, huge pages, NUMA binding, copy-on-write
 * restore and other processes' views are ordinary system calls on an ordinary mapping, under every accelerator.
 */
export interface MemoryBacking {
  /** The file behind the mapping, or -1 for anonymous memory. */
  readonly fd: number;
  /** Where the mapping starts in that file, in bytes. */
  readonly fdOffset: number;
  /** Host virtual address of the first byte. */
  readonly hva: number;
  readonly sizeBytes: number;
  /** The same bytes as JavaScript sees them: `buffer[i]` is host address `hva + i`. */
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
}
