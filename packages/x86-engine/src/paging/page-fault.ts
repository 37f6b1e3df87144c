/** A page fault's error code (Intel SDM Vol. 3A §4.7 "Page-Fault Exceptions"). */
export const PF = { PRESENT: 1, WRITE: 2, USER: 4, RESERVED: 8, INSTRUCTION: 16 } as const;
