/** What numbers mean between the memory unit (assembly/memory-unit) and its host. The build gives it the same ones. */

export const ACCESS = { read: 0, write: 1, execute: 2 } as const;
export type AccessKind = keyof typeof ACCESS;

/** Whose rights count: each has a TLB of its own, in this order. 'allowed': a supervisor with RFLAGS.AC, under SMAP. */
export const RIGHTS = { user: 0, supervisor: 1, allowed: 2 } as const;
export type Rights = keyof typeof RIGHTS;

/** Why there is no address. 'readOnly': of a write to read-only memory, which is a device's. */
export const OUTCOME = { fault: 0, device: 1, readOnly: 2 } as const;

/** Why there is no record. 'notMemory': an OUTCOME says what it is. */
export const CODE_OUTCOME = { beyondLimit: 0, notMemory: 1, notDecoded: 2 } as const;
