/** In the place of `@vireo/kvm`: VMs whose vCPUs follow scripts, and which watch the order of their tear-down. */
import type { GsiRoute, Hypervisor, MemorySlot, VcpuHandle, Vm } from '@vireo/hypervisor';
import { HostError } from '@vireo/linux';
import { CONTROL, type ScriptedSeed } from './scripted-seed.ts';

export type { ProbedFeature, ProbeResult } from '@vireo/kvm/probe';

export interface Scenario {
  /** For each power cycle, the scripts of its vCPUs; a vCPU without one halts. The last cycle is repeated. */
  readonly cycles: readonly (readonly string[])[];
  /** The vCPU that the host does not give. */
  readonly refusedVcpu?: number;
  /** The interrupt line whose change fails. */
  readonly brokenGsi?: number;
}

/** Set by a test before it starts a VM. */
export const stage = {
  scenario: { cycles: [[]] } as Scenario,
  /** What was used after it was closed, or closed while it was used. */
  violations: [] as string[],
  vms: 0,
  openVms: 0,
  openHandles: 0,
  openHypervisors: 0,
  /** `setIrqLine` from the main thread: GSI and level. */
  lines: [] as [number, boolean][],
  seeds: [] as ScriptedSeed[],
  backings: [] as (ArrayBuffer | SharedArrayBuffer)[],
};

const EMFILE = 24;

export function openKvm(): Hypervisor {
  stage.openHypervisors++;
  return partial<Hypervisor>({
    name: 'kvm',
    capabilities: {
      maxVcpus: 64,
      maxMemorySlots: 8,
      maxMemoryBytes: null,
      readonlyMemory: true,
      hardwareBreakpoints: 4,
      tscDeadlineTimer: true,
    },
    supportedCpuid: () => [],
    createVm: () => new ScriptedVm(stage.vms++) as unknown as Vm,
    close() {
      if (stage.openVms > 0) stage.violations.push('the hypervisor was closed before its VM');
      stage.openHypervisors--;
    },
  });
}

export function probe(): { kind: 'able' } {
  return { kind: 'able' };
}

class ScriptedVm {
  readonly #scripts: readonly string[];
  readonly #handles = new Set<ScriptedHandle>();
  #buffer: ArrayBuffer | SharedArrayBuffer = new ArrayBuffer(0);
  #open = true;

  constructor(cycle: number) {
    const { cycles } = stage.scenario;
    this.#scripts = cycles[Math.min(cycle, cycles.length - 1)]!;
    stage.openVms++;
  }

  setGsiRouting(_routes: readonly GsiRoute[]): void {}

  setMemorySlot({ backing }: MemorySlot): void {
    this.#buffer = backing.buffer;
    stage.backings.push(backing.buffer);
  }

  createVcpu(id: number): VcpuHandle {
    if (id === stage.scenario.refusedVcpu)
      throw new HostError('ioctl', EMFILE, { subject: 'KVM_CREATE_VCPU' });
    const control = new SharedArrayBuffer(CONTROL.words * 4);
    const seed: ScriptedSeed = { accelerator: 'kvm', id, script: this.#scripts[id] ?? '', control };
    const handle = new ScriptedHandle(seed, () => this.#handles.delete(handle));
    this.#handles.add(handle);
    stage.seeds.push(seed);
    return handle as unknown as VcpuHandle;
  }

  setIrqLine(gsi: number, level: boolean): void {
    if (!this.#open) stage.violations.push(`line ${gsi} was set after the VM was closed`);
    if (gsi === stage.scenario.brokenGsi) throw new Error('a device model failed');
    stage.lines.push([gsi, level]);
  }

  close(): void {
    if (!this.#open) stage.violations.push('the VM was closed twice');
    if (this.#buffer.byteLength === 0) stage.violations.push('RAM was unmapped before the VM was closed');
    this.#open = false;
    stage.openVms--;
    // What the contract has KVM do, for a machine that did not start as a whole.
    for (const handle of this.#handles) handle.close();
    for (const { control } of stage.seeds) Atomics.store(new Int32Array(control), CONTROL.vmClosed, 1);
  }
}

class ScriptedHandle {
  readonly id: number;
  readonly seed: ScriptedSeed;
  readonly #words: Int32Array;
  readonly #onClose: () => void;
  #open = true;

  constructor(seed: ScriptedSeed, onClose: () => void) {
    this.id = seed.id;
    this.seed = seed;
    this.#words = new Int32Array(seed.control);
    this.#onClose = onClose;
    stage.openHandles++;
  }

  kick(): void {
    Atomics.store(this.#words, CONTROL.kicked, 1);
    Atomics.notify(this.#words, CONTROL.kicked);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    stage.openHandles--;
    if (Atomics.load(this.#words, CONTROL.open) === 1)
      stage.violations.push(`vCPU ${this.id} was closed while its thread had it`);
    this.#onClose();
  }
}

function partial<T extends object>(methods: Partial<T>): T {
  return methods as T;
}
