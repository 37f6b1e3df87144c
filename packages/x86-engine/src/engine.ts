/** The contract in WebAssembly. */
import type { CpuidEntry, Hypervisor, HypervisorCapabilities, Vm, VmOptions } from '@vireo/hypervisor';
import { supportedCpuid } from './cpu-model/supported-cpuid.ts';
import { type EngineHost, EngineVm } from './engine-vm.ts';
import { MAX_SLOTS } from './memory/slot-table.ts';
import { GUEST_MEMORY_BYTES, MAX_VCPUS } from './memory-map.ts';

export type { EngineHost } from './engine-vm.ts';

const GIB = 2 ** 30;

export class Engine implements Hypervisor {
  readonly name = 'wasm';
  readonly capabilities: HypervisorCapabilities = {
    maxVcpus: MAX_VCPUS,
    maxMemorySlots: MAX_SLOTS,
    maxMemoryBytes: GUEST_MEMORY_BYTES - (GUEST_MEMORY_BYTES % GIB),
    readonlyMemory: true,
    hardwareBreakpoints: 4,
    tscDeadlineTimer: true,
  };
  readonly #host: EngineHost;
  #vms = 0;

  constructor(host: EngineHost) {
    this.#host = host;
  }

  supportedCpuid(): CpuidEntry[] {
    return supportedCpuid();
  }

  createVm(options: VmOptions = {}): Vm {
    return new EngineVm(this.#vms++, this.#host, options);
  }

  close(): void {}
}
