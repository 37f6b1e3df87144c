/** A virtual machine on a KVM VM file (Linux KVM API §4, "vm ioctl"). */

import { closeSync } from 'node:fs';
import { bitmapSizeBytes } from '@vireo/guest-memory';
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
import { addressOf } from '@vireo/linux';
import * as abi from './abi.ts';
import { KvmInterruptSink } from './interrupt-sink.ts';
import { kvmIoctl, kvmIoctlPointer } from './ioctl.ts';
import { openKick, prepareKicks } from './kick.ts';
import { openVcpu } from './kvm-vcpu.ts';
import type { EventSupport } from './structs/events.ts';
import * as irqchip from './structs/irqchip.ts';
import { CONTROL_WORDS, type KvmVcpuSeed } from './vcpu-seed.ts';

/** What the VM needs to know of the system it is on. */
export interface KvmSystem {
  readonly runSizeBytes: number;
  check(fd: number, capability: number): number;
}

export class KvmVm implements Vm {
  readonly id: number;
  readonly #fd: number;
  readonly #system: KvmSystem;
  readonly #interrupts: KvmInterruptSink;
  readonly #inKernelControllers: boolean;
  readonly #eventSupport: EventSupport;
  readonly #xsaveSizeBytes: number;
  readonly #slots = new Map<number, MemorySlot>();
  readonly #vcpus = new Set<KvmVcpuHandle>();

  constructor(fd: number, system: KvmSystem, options: VmOptions) {
    prepareKicks();
    this.id = fd;
    this.#fd = fd;
    this.#system = system;
    this.#interrupts = new KvmInterruptSink(fd);
    this.#inKernelControllers = options.interruptControllers === 'in-kernel';
    this.#xsaveSizeBytes = Math.max(4096, system.check(fd, abi.KVM_CAP_XSAVE2));
    this.#eventSupport = {
      exceptionPayload: this.#enable(abi.KVM_CAP_EXCEPTION_PAYLOAD, 1n),
      tripleFault: this.#enable(abi.KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1n),
    };
    kvmIoctlPointer(fd, abi.KVM_SET_IDENTITY_MAP_ADDR, u64(BigInt(abi.IDENTITY_MAP_ADDRESS)));
    kvmIoctl(fd, abi.KVM_SET_TSS_ADDR, abi.TSS_ADDRESS);
    if (this.#inKernelControllers) this.#createControllers();
  }

  setMemorySlot(slot: MemorySlot): void {
    const previous = this.#slots.get(slot.id);
    // KVM moves a slot and changes its flags in place, but gives it other memory or size only by way of deletion.
    const sameMemory = previous?.backing === slot.backing && previous.backingOffset === slot.backingOffset;
    const inPlace =
      sameMemory && previous.sizeBytes === slot.sizeBytes && previous.readonly === slot.readonly;
    if (previous === undefined || inPlace) this.#setRegion(slot, slot.sizeBytes);
    else this.#replaceRegion(previous, slot);
    this.#slots.set(slot.id, slot);
  }

  deleteMemorySlot(id: number): void {
    const slot = this.#slots.get(id);
    if (slot === undefined) throw new RangeError(`memory slot ${id} does not exist`);
    this.#setRegion(slot, 0);
    this.#slots.delete(id);
  }

  takeDirtyLog(id: number): Uint8Array {
    const slot = this.#slots.get(id);
    if (slot === undefined) throw new RangeError(`memory slot ${id} does not exist`);
    // An ArrayBuffer of its own: V8 keeps small arrays in its heap, where they move.
    const bitmap = new Uint8Array(new ArrayBuffer(bitmapSizeBytes(slot.sizeBytes)));
    const request = new DataView(new ArrayBuffer(16));
    request.setUint32(0, id, true);
    request.setBigUint64(8, BigInt(addressOf(bitmap)), true);
    kvmIoctlPointer(this.#fd, abi.KVM_GET_DIRTY_LOG, new Uint8Array(request.buffer));
    return bitmap;
  }

  createVcpu(id: number): VcpuHandle {
    const vcpuFd = kvmIoctl(this.#fd, abi.KVM_CREATE_VCPU, id);
    const seed: KvmVcpuSeed = {
      accelerator: 'kvm',
      id,
      vmFd: this.#fd,
      vcpuFd,
      runSizeBytes: this.#system.runSizeBytes,
      xsaveSizeBytes: this.#xsaveSizeBytes,
      eventSupport: this.#eventSupport,
      inKernelControllers: this.#inKernelControllers,
      control: new SharedArrayBuffer(CONTROL_WORDS * 4),
    };
    const handle = new KvmVcpuHandle(seed, () => this.#vcpus.delete(handle));
    this.#vcpus.add(handle);
    return handle;
  }

  setIrqLine(gsi: number, level: boolean): void {
    this.#interrupts.setIrqLine(gsi, level);
  }

  signalMsi(msi: Msi): boolean {
    return this.#interrupts.signalMsi(msi);
  }

  setGsiRouting(routes: readonly GsiRoute[]): void {
    kvmIoctlPointer(this.#fd, abi.KVM_SET_GSI_ROUTING, irqchip.encodeRouting(routes));
  }

  getInterruptControllers(): InterruptControllerState {
    const pit = new Uint8Array(abi.SIZEOF_KVM_PIT_STATE2);
    kvmIoctlPointer(this.#fd, abi.KVM_GET_PIT2, pit);
    return {
      version: 1,
      picMaster: irqchip.decodePic(this.#getChip(abi.KVM_IRQCHIP_PIC_MASTER)),
      picSlave: irqchip.decodePic(this.#getChip(abi.KVM_IRQCHIP_PIC_SLAVE)),
      ioapic: irqchip.decodeIoapic(this.#getChip(abi.KVM_IRQCHIP_IOAPIC)),
      pit: irqchip.decodePit(pit),
    };
  }

  setInterruptControllers(state: InterruptControllerState): void {
    if (state.version !== 1)
      throw new RangeError(`interrupt controller state of unknown version ${state.version}`);
    const set = (bytes: Uint8Array) => kvmIoctlPointer(this.#fd, abi.KVM_SET_IRQCHIP, bytes);
    set(irqchip.encodePic(abi.KVM_IRQCHIP_PIC_MASTER, state.picMaster));
    set(irqchip.encodePic(abi.KVM_IRQCHIP_PIC_SLAVE, state.picSlave));
    set(irqchip.encodeIoapic(state.ioapic));
    kvmIoctlPointer(this.#fd, abi.KVM_SET_PIT2, irqchip.encodePit(state.pit));
  }

  getClock(): ClockState {
    const bytes = new Uint8Array(abi.SIZEOF_KVM_CLOCK_DATA);
    kvmIoctlPointer(this.#fd, abi.KVM_GET_CLOCK, bytes);
    return { version: 1, nanoseconds: new DataView(bytes.buffer).getBigUint64(0, true) };
  }

  setClock(clock: ClockState): void {
    const bytes = new Uint8Array(abi.SIZEOF_KVM_CLOCK_DATA);
    new DataView(bytes.buffer).setBigUint64(0, clock.nanoseconds, true);
    kvmIoctlPointer(this.#fd, abi.KVM_SET_CLOCK, bytes);
  }

  close(): void {
    for (const vcpu of this.#vcpus) vcpu.close();
    closeSync(this.#fd);
  }

  #createControllers(): void {
    kvmIoctl(this.#fd, abi.KVM_CREATE_IRQCHIP, 0);
    const config = new Uint8Array(64);
    new DataView(config.buffer).setUint32(0, abi.KVM_PIT_SPEAKER_DUMMY, true);
    kvmIoctlPointer(this.#fd, abi.KVM_CREATE_PIT2, config);
    this.#enable(
      abi.KVM_CAP_X2APIC_API,
      abi.KVM_X2APIC_API_USE_32BIT_IDS | abi.KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK,
    );
  }

  #getChip(chipId: number): Uint8Array {
    const bytes = irqchip.irqchipBuffer(chipId);
    kvmIoctlPointer(this.#fd, abi.KVM_GET_IRQCHIP, bytes);
    return bytes;
  }

  #setRegion(slot: MemorySlot, sizeBytes: number): void {
    const region = new DataView(new ArrayBuffer(32));
    const flags =
      (slot.logDirtyPages ? abi.KVM_MEM_LOG_DIRTY_PAGES : 0) | (slot.readonly ? abi.KVM_MEM_READONLY : 0);
    region.setUint32(0, slot.id, true);
    region.setUint32(4, flags, true);
    region.setBigUint64(8, BigInt(slot.gpa), true);
    region.setBigUint64(16, BigInt(sizeBytes), true);
    region.setBigUint64(24, BigInt(slot.backing.hva + slot.backingOffset), true);
    kvmIoctlPointer(this.#fd, abi.KVM_SET_USER_MEMORY_REGION, new Uint8Array(region.buffer));
  }

  /** A slot whose change is refused stays as it was. */
  #replaceRegion(previous: MemorySlot, slot: MemorySlot): void {
    this.#setRegion(previous, 0);
    try {
      this.#setRegion(slot, slot.sizeBytes);
    } catch (error) {
      this.#setRegion(previous, previous.sizeBytes);
      throw error;
    }
  }

  /** Turns a capability on where the host has it. */
  #enable(capability: number, argument: bigint): boolean {
    if (this.#system.check(this.#fd, capability) <= 0) return false;
    const request = new DataView(new ArrayBuffer(abi.SIZEOF_KVM_ENABLE_CAP));
    request.setUint32(0, capability, true);
    request.setBigUint64(8, argument, true);
    kvmIoctlPointer(this.#fd, abi.KVM_ENABLE_CAP, new Uint8Array(request.buffer));
    return true;
  }
}

class KvmVcpuHandle implements VcpuHandle {
  readonly id: number;
  readonly seed: KvmVcpuSeed;
  readonly #kick: VcpuKick;
  readonly #onClose: () => void;
  #closed = false;

  constructor(seed: KvmVcpuSeed, onClose: () => void) {
    this.id = seed.id;
    this.seed = seed;
    this.#kick = openKick(seed);
    this.#onClose = onClose;
  }

  open(): Vcpu {
    return openVcpu(this.seed);
  }

  kick(): void {
    this.#kick.kick();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#kick.close();
    closeSync(this.seed.vcpuFd);
    this.#onClose();
  }
}

function u64(value: bigint): Uint8Array {
  return new Uint8Array(new BigUint64Array([value]).buffer);
}
