/** What passes from an engine's vCPU's handle to the threads that open and kick it. */
import type { Vcpu, VcpuKick, VcpuSeed } from '@vireo/hypervisor';
import { NATIVE_TSC_KHZ } from './cpu-model/tsc.ts';
import { InterruptControllers } from './interrupts/interrupt-controllers.ts';
import { INTERRUPT_CONTROLLERS, MAX_VCPUS } from './memory-map.ts';
import { tscOf } from './vcpu/clock-msrs.ts';
import type { UndefinedListener } from './vcpu/code-fetch.ts';
import { EngineVcpu } from './vcpu/engine-vcpu.ts';
import { PENDING, VcpuControl } from './vcpu/vcpu-control.ts';
import type { EngineModules, EngineThread } from './vcpu/vcpu-host.ts';

/** Modules and shared memory go to other threads of the process as they are. */
export interface EngineSeed extends VcpuSeed {
  readonly accelerator: 'wasm';
  readonly memory: WebAssembly.Memory;
  readonly modules: EngineModules;
  readonly hasControllers: boolean;
}

export function asEngineSeed(seed: VcpuSeed): EngineSeed {
  if (seed.accelerator !== 'wasm') throw new TypeError(`not a vCPU of the engine: ${seed.accelerator}`);
  return seed as EngineSeed;
}

/** Opens the vCPU of a seed in the calling thread. */
export function openEngineVcpu(seed: VcpuSeed, thread: EngineThread, onUndefined?: UndefinedListener): Vcpu {
  const { id, memory, modules, hasControllers } = asEngineSeed(seed);
  const controllers = hasControllers ? vmControllers(memory.buffer as SharedArrayBuffer, thread) : null;
  return new EngineVcpu({ id, vcpus: MAX_VCPUS, memory, modules, thread, controllers }, onUndefined);
}

/** A thread's view of the VM's interrupt controllers. */
export function vmControllers(buffer: SharedArrayBuffer, thread: EngineThread): InterruptControllers {
  const tscs = Array.from({ length: MAX_VCPUS }, (_, id) => tscOf(buffer, id, thread));
  const controls = Array.from({ length: MAX_VCPUS }, (_, id) => new VcpuControl(buffer, id));
  return new InterruptControllers({
    buffer,
    byteOffset: INTERRUPT_CONTROLLERS,
    vcpus: MAX_VCPUS,
    alert: (id) => controls[id]!.setPending(PENDING.interrupt),
    clock: { now: () => thread.now(), readTsc: (id) => tscs[id]!.value, tscKhz: NATIVE_TSC_KHZ },
  });
}

export function openEngineKick(seed: VcpuSeed): VcpuKick {
  return new EngineKick(asEngineSeed(seed));
}

const NO_CLOCK = { now: () => 0n, unixNow: () => 0n, random: () => 0n };

class EngineKick implements VcpuKick {
  readonly #control: VcpuControl;
  readonly #wake: () => void;

  constructor({ id, memory, hasControllers }: EngineSeed) {
    const buffer = memory.buffer as SharedArrayBuffer;
    this.#control = new VcpuControl(buffer, id);
    const interrupts = hasControllers ? vmControllers(buffer, NO_CLOCK).vcpu(id) : undefined;
    this.#wake = () => interrupts?.wake();
  }

  kick(): void {
    this.#control.kick();
    this.#wake();
  }

  close(): void {}
}
