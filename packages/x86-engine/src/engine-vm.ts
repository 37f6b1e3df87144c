/** A virtual machine of the engine: one shared memory, in which guest memory is mapped and all threads work. */
import { bitmapSizeBytes } from '@vireo/guest-memory/dirty-log';
import type {
  ClockState,
  GsiRoute,
  InterruptControllerState,
  MemorySlot,
  Msi,
  Vcpu,
  VcpuHandle,
  VcpuKick,
  Vm,
  VmOptions,
} from '@vireo/hypervisor';
import { NATIVE_TSC_KHZ } from './cpu-model/tsc.ts';
import { type EngineSeed, openEngineKick, openEngineVcpu, vmControllers } from './engine-seed.ts';
import type { InterruptControllers } from './interrupts/interrupt-controllers.ts';
import { PageStates } from './memory/page-states.ts';
import { MAX_SLOTS, type MappedSlot, SlotTable } from './memory/slot-table.ts';
import { GUEST_MEMORY, GUEST_MEMORY_BYTES, MAX_VCPUS, MEMORY_LIMITS } from './memory-map.ts';
import { tscOf } from './vcpu/clock-msrs.ts';
import { REQUEST, requestAll, VcpuControl } from './vcpu/vcpu-control.ts';
import type { EngineModules, EngineThread } from './vcpu/vcpu-host.ts';
import { VmClock } from './vm-clock.ts';

const GIB = 2 ** 30;

/** What a process gives the engine: only it can map memory. */
export interface EngineHost {
  readonly thread: EngineThread;
  readonly modules: EngineModules;
  /** Shared memory of so many pages of 64 KiB. */
  allocate(pages: number): WebAssembly.Memory;
  /** Maps a slot's memory at an address of the engine's memory, shared. */
  map(memory: WebAssembly.Memory, address: number, slot: MemorySlot): void;
  /** The range is to hold nothing, and take no memory. */
  unmap(memory: WebAssembly.Memory, address: number, sizeBytes: number): void;
}

interface PlacedSlot extends MappedSlot {
  readonly slot: MemorySlot;
}

export class EngineVm implements Vm {
  readonly id: number;
  readonly #host: EngineHost;
  readonly #memory: WebAssembly.Memory;
  readonly #buffer: SharedArrayBuffer;
  readonly #table: SlotTable;
  readonly #states: PageStates;
  readonly #clock: VmClock;
  readonly #controllers: InterruptControllers | null;
  readonly #controls: readonly VcpuControl[];
  readonly #slots = new Map<number, PlacedSlot>();

  constructor(id: number, host: EngineHost, options: VmOptions) {
    this.id = id;
    this.#host = host;
    this.#memory = host.allocate(MEMORY_LIMITS.maximumPages);
    this.#buffer = this.#memory.buffer as SharedArrayBuffer;
    this.#table = new SlotTable(this.#buffer);
    this.#states = new PageStates(this.#buffer);
    this.#clock = new VmClock(this.#buffer);
    this.#clock.set(0n, host.thread.now());
    this.#controls = Array.from({ length: MAX_VCPUS }, (_, vcpu) => new VcpuControl(this.#buffer, vcpu));
    for (let vcpu = 0; vcpu < MAX_VCPUS; vcpu++) {
      const tsc = tscOf(this.#buffer, vcpu, host.thread);
      tsc.initialise(NATIVE_TSC_KHZ);
    }
    const hasControllers = options.interruptControllers === 'in-kernel';
    this.#controllers = hasControllers ? vmControllers(this.#buffer, host.thread) : null;
    this.#controllers?.initialise();
  }

  setMemorySlot(slot: MemorySlot): void {
    this.#checkSlot(slot);
    const previous = this.#slots.get(slot.id);
    const placed = previous && isSameMemory(previous.slot, slot) ? previous.address : this.#place(slot);
    const isNew = placed !== previous?.address;
    if (isNew) this.#host.map(this.#memory, placed, slot);
    const logsDirtyPages = slot.logDirtyPages ?? false;
    // The log starts empty whenever it is turned on.
    if (logsDirtyPages && (isNew || !previous?.logsDirtyPages)) this.#takeDirty(placed, slot.sizeBytes);
    const { gpa, sizeBytes } = slot;
    const readonly = slot.readonly ?? false;
    this.#slots.set(slot.id, { gpa, sizeBytes, address: placed, readonly, logsDirtyPages, slot });
    this.#publish();
    if (isNew && previous) this.#host.unmap(this.#memory, previous.address, previous.sizeBytes);
  }

  deleteMemorySlot(id: number): void {
    const { address, sizeBytes } = this.#slot(id);
    this.#slots.delete(id);
    this.#publish();
    this.#host.unmap(this.#memory, address, sizeBytes);
  }

  /**
   * Pages are taken first and vCPUs then made to ask again: one that still writes through a translation of its own
   * writes to a page that is among the taken, and has done so before this returns.
   */
  takeDirtyLog(id: number): Uint8Array {
    const { address, sizeBytes, logsDirtyPages } = this.#slot(id);
    if (!logsDirtyPages) throw new RangeError(`memory slot ${id} keeps no log`);
    const bitmap = this.#takeDirty(address, sizeBytes);
    this.#forgetTranslations();
    return bitmap;
  }

  createVcpu(id: number): VcpuHandle {
    if (id >= MAX_VCPUS) throw new RangeError(`vCPU ${id}: the engine has ${MAX_VCPUS} at most`);
    const { modules, thread } = this.#host;
    const seed: EngineSeed = {
      ...{ accelerator: 'wasm', id, memory: this.#memory, modules },
      hasControllers: this.#controllers !== null,
    };
    return new EngineVcpuHandle(seed, thread);
  }

  setIrqLine(gsi: number, level: boolean): void {
    this.#need().setIrqLine(gsi, level);
  }

  signalMsi(msi: Msi): boolean {
    return this.#need().signalMsi(msi);
  }

  setGsiRouting(routes: readonly GsiRoute[]): void {
    this.#need().setGsiRouting(routes);
  }

  getInterruptControllers(): InterruptControllerState {
    return this.#need().getState();
  }

  setInterruptControllers(state: InterruptControllerState): void {
    this.#need().setState(state);
  }

  getClock(): ClockState {
    return { version: 1, nanoseconds: this.#clock.at(this.#host.thread.now()) };
  }

  setClock({ nanoseconds }: ClockState): void {
    this.#clock.set(nanoseconds, this.#host.thread.now());
  }

  close(): void {
    for (const { address, sizeBytes } of this.#slots.values())
      this.#host.unmap(this.#memory, address, sizeBytes);
    this.#slots.clear();
  }

  #checkSlot({ id, gpa, sizeBytes, backing, backingOffset }: MemorySlot): void {
    if (gpa % 4096 !== 0 || sizeBytes % 4096 !== 0 || sizeBytes <= 0)
      throw new RangeError(`memory slot ${id} is not of whole pages`);
    if (backingOffset + sizeBytes > backing.sizeBytes)
      throw new RangeError(`memory slot ${id} leaves its memory`);
    for (const [other, slot] of this.#slots)
      if (other !== id && gpa < slot.gpa + slot.sizeBytes && slot.gpa < gpa + sizeBytes)
        throw new RangeError(`memory slot ${id} overlaps slot ${other}`);
    if (!this.#slots.has(id) && this.#slots.size >= MAX_SLOTS)
      throw new RangeError(`the engine has ${MAX_SLOTS} memory slots`);
  }

  /** The first gap that is wide enough. @throws RangeError */
  #place({ sizeBytes }: MemorySlot): number {
    const taken = [...this.#slots.values()].sort((a, b) => a.address - b.address);
    let address = GUEST_MEMORY;
    for (const slot of taken) {
      if (slot.address - address >= sizeBytes) break;
      address = slot.address + slot.sizeBytes;
    }
    if (address + sizeBytes <= GUEST_MEMORY + GUEST_MEMORY_BYTES) return address;
    throw new RangeError(
      `the engine has room for ${Math.floor((GUEST_MEMORY_BYTES / GIB) * 10) / 10} GiB of guest memory`,
    );
  }

  #publish(): void {
    this.#table.write([...this.#slots.values()]);
    this.#forgetTranslations();
  }

  #forgetTranslations(): void {
    requestAll(this.#controls, REQUEST.translations);
  }

  #takeDirty(address: number, sizeBytes: number): Uint8Array {
    const bitmap = new Uint8Array(bitmapSizeBytes(sizeBytes));
    this.#states.takeDirty(address, sizeBytes, bitmap);
    return bitmap;
  }

  #slot(id: number): PlacedSlot {
    const slot = this.#slots.get(id);
    if (slot === undefined) throw new RangeError(`memory slot ${id} does not exist`);
    return slot;
  }

  #need(): InterruptControllers {
    if (this.#controllers === null) throw new Error('this VM has no interrupt controllers');
    return this.#controllers;
  }
}

function isSameMemory(a: MemorySlot, b: MemorySlot): boolean {
  return a.backing === b.backing && a.backingOffset === b.backingOffset && a.sizeBytes === b.sizeBytes;
}

class EngineVcpuHandle implements VcpuHandle {
  readonly id: number;
  readonly seed: EngineSeed;
  readonly #thread: EngineThread;
  readonly #kick: VcpuKick;

  constructor(seed: EngineSeed, thread: EngineThread) {
    this.id = seed.id;
    this.seed = seed;
    this.#thread = thread;
    this.#kick = openEngineKick(seed);
  }

  open(): Vcpu {
    return openEngineVcpu(this.seed, this.#thread);
  }

  kick(): void {
    this.#kick.kick();
  }

  close(): void {
    this.#kick.close();
  }
}
