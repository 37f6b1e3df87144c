/** Why the interpreter came back to its caller. */
export const EXIT = {
  /** The last record was run, and `rip` is behind it. */
  stopped: 0,
  /** An access to memory faulted: the slow way, which refused it, knows which. */
  memoryFault: 1,
  /** Code at `rip` is not in the table, or `pending` is set. */
  jump: 2,
  /** `exceptionVector` was raised by the instruction at `rip`, and nothing of it has happened. */
  exception: 3,
  /** The system's side has left the guest, or goes on at `rip`. */
  system: 4,
} as const;
