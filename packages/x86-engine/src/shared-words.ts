/** Words that all vCPUs share. They are below the first vCPU's state, whose place is not 0 (cpu-state.ts). */

/** Not 0 while one vCPU makes an access that is atomic by this alone (interpreter/locked-functions.ts). 32 bits. */
export const SPLIT_LOCK_ADDRESS = 64;

/** The same for a read-modify-write across two pages, from its read to its write (memory/device-access.ts). 32 bits. */
export const PAGE_LOCK_ADDRESS = 68;
