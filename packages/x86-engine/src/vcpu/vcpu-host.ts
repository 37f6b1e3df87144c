/** What a vCPU needs of its thread and its VM. */
import type { InterruptControllers } from '../interrupts/interrupt-controllers.ts';

/** What the host's thread gives the engine, which asks no operating system itself. */
export interface EngineThread {
  /** Monotonic time in nanoseconds, the same in all threads of the host. */
  now(): bigint;
  /** Time since 1970 in nanoseconds. */
  unixNow(): bigint;
  /** 64 bits that nobody can guess. */
  random(): bigint;
}

export interface VcpuParts {
  readonly id: number;
  readonly vcpus: number;
  readonly memory: WebAssembly.Memory;
  /** The interpreter, and 80-bit floating point. */
  readonly interpreter: WebAssembly.Module;
  readonly float80: WebAssembly.Module;
  readonly thread: EngineThread;
  /** Null on a VM without them. */
  readonly controllers: InterruptControllers | null;
}
