/** Why the interpreter came back to its caller. */
export const EXIT = {
  /** The records end here: decode on. */
  endOfCode: 0,
  /** An access to memory faulted; `faultGva` and `faultAccess` say which. */
  memoryFault: 1,
} as const;
