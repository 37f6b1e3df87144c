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
  /** The calling thread's vCPU is about to sleep; nothing waits for it meanwhile. */
  beforeSleep?(): void;
}

/** The engine's WebAssembly: each vCPU has an instance of each. */
export interface EngineModules {
  readonly interpreter: WebAssembly.Module;
  /** 80-bit floating point (assembly/float80). */
  readonly float80: WebAssembly.Module;
  /** Translations, and decoded code (assembly/memory-unit). */
  readonly memoryUnit: WebAssembly.Module;
}

export interface VcpuParts {
  readonly id: number;
  readonly vcpus: number;
  readonly memory: WebAssembly.Memory;
  readonly modules: EngineModules;
  readonly thread: EngineThread;
  /** Null on a VM without them. */
  readonly controllers: InterruptControllers | null;
}
