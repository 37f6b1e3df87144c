/** A hypervisor for tests whose vCPUs do what a function says. Only what a probe needs; anything else is a TypeError. */
import type { Hypervisor, MemorySlot, Vcpu, VcpuExit, VcpuHandle, Vm } from '@vireo/hypervisor';

export class FakeHypervisor {
  /** What is open now, of everything that has a `close`. */
  readonly open = { hypervisors: 1, vms: 0, handles: 0, vcpus: 0 };
  readonly hypervisor: Hypervisor;
  readonly #run: (guestMemory: Uint8Array) => VcpuExit;

  /** `run` is what a vCPU does: it sees slot 0 and says which exit comes. */
  constructor(run: (guestMemory: Uint8Array) => VcpuExit) {
    this.#run = run;
    this.hypervisor = partial<Hypervisor>({
      name: 'kvm',
      supportedCpuid: () => [],
      createVm: () => this.#createVm(),
      close: () => void this.open.hypervisors--,
    });
  }

  #createVm(): Vm {
    let memory: Uint8Array = new Uint8Array();
    this.open.vms++;
    return partial<Vm>({
      setMemorySlot: ({ backing }: MemorySlot) => {
        memory = new Uint8Array(backing.buffer);
      },
      createVcpu: () => this.#createHandle(() => memory),
      close: () => void this.open.vms--,
    });
  }

  #createHandle(memory: () => Uint8Array): VcpuHandle {
    this.open.handles++;
    return partial<VcpuHandle>({
      open: () => this.#openVcpu(memory),
      close: () => void this.open.handles--,
    });
  }

  #openVcpu(memory: () => Uint8Array): Vcpu {
    this.open.vcpus++;
    return partial<Vcpu>({
      setCpuid: () => {},
      getSpecialRegisters: () => ({}) as ReturnType<Vcpu['getSpecialRegisters']>,
      setSpecialRegisters: () => {},
      getRegisters: () => ({}) as ReturnType<Vcpu['getRegisters']>,
      setRegisters: () => {},
      run: () => this.#run(memory()),
      close: () => void this.open.vcpus--,
    });
  }
}

function partial<T extends object>(methods: Partial<T>): T {
  return methods as T;
}
