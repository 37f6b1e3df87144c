/** Timers as devices need them: the VM's main thread gives them its own, tests a clock they wind by hand. */
export interface Timers<Handle = unknown> {
  /** Calls `fn` once, no sooner than after `ms` milliseconds. */
  setTimeout(ms: number, fn: () => void): Handle;
  clear(handle: Handle): void;
}
