/** The times that timers go by, injected: nothing here asks the host or waits. */
export interface InterruptClock {
  /** Monotonic host time in nanoseconds, the same in all threads. */
  now(): bigint;
  /** A vCPU's time-stamp counter, now. */
  readTsc(apicId: number): bigint;
  readonly tscKhz: number;
}
