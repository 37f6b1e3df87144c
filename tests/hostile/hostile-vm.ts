/** The VM whose vCPUs have the hostile guests: RAM whose changes are logged, and read-only memory. */
import { closeSync } from 'node:fs';
import { openEngine } from '@vireo/engine-host';
import type { CpuidEntry, Vm } from '@vireo/hypervisor';
import { Mapping, memoryFile } from '@vireo/linux';
import type { HostileVcpuParts } from './hostile-vcpu.ts';
import { RAM_BYTES, ROM_BYTES, ROM_GPA } from './random-guest.ts';

const MEMORY_BYTES = RAM_BYTES + ROM_BYTES;

export class HostileVm implements Disposable {
  readonly #vm: Vm;
  readonly #cpuid: readonly CpuidEntry[];
  readonly #fd = memoryFile('vireo-hostile', MEMORY_BYTES);
  readonly #mapping = Mapping.map({ fd: this.#fd, lengthBytes: MEMORY_BYTES });

  private constructor(vm: Vm, cpuid: readonly CpuidEntry[]) {
    this.#vm = vm;
    this.#cpuid = cpuid;
    const { hva, buffer } = this.#mapping;
    const backing = { fd: this.#fd, fdOffset: 0, hva, sizeBytes: MEMORY_BYTES, buffer };
    vm.setMemorySlot({ id: 0, gpa: 0, sizeBytes: RAM_BYTES, backing, backingOffset: 0, logDirtyPages: true });
    const rom = { id: 1, gpa: ROM_GPA, sizeBytes: ROM_BYTES, backing, backingOffset: RAM_BYTES };
    vm.setMemorySlot({ ...rom, readonly: true });
  }

  static async open(): Promise<HostileVm> {
    const engine = await openEngine();
    return new HostileVm(engine.createVm({ interruptControllers: 'in-kernel' }), engine.supportedCpuid());
  }

  /** Only the first one's thread fills memory. */
  vcpu(id: number): HostileVcpuParts {
    const { seed } = this.#vm.createVcpu(id);
    return { seed, cpuid: this.#cpuid, memoryFd: id === 0 ? this.#fd : null };
  }

  /** When no vCPU runs any more. */
  [Symbol.dispose](): void {
    this.#vm.close();
    this.#mapping.unmap();
    closeSync(this.#fd);
  }
}
