/** Words that all vCPUs share. They are below the first vCPU's state, whose place is not 0 (cpu-state.ts). */

/** Not 0 while one vCPU makes an access that is atomic by this alone (interpreter/locked-functions.ts). 32 bits. */
export const SPLIT_LOCK_ADDRESS = 64;
