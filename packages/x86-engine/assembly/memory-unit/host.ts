/** What the memory unit leaves to JavaScript (memory/memory-unit.ts). The file's name is the imports' module. */

/** Code that some vCPU may have decoded is about to be written. */
export declare function codeWritten(): void;

/** Has the guest stopped behind the instruction of a record. */
export declare function endAfter(record: usize): void;

/** Accesses that are not to be done here. @returns an address, or 0: it faulted, or is to be done otherwise */
export declare function slowRead(state: usize, record: usize, gva: u64, lengthBytes: u32): usize;

export declare function slowWrite(state: usize, record: usize, gva: u64, lengthBytes: u32): usize;
