/** The contract on /dev/kvm (Linux KVM API §4, "system ioctl"). */

import { closeSync, openSync } from 'node:fs';
import type { CpuidEntry, Hypervisor, HypervisorCapabilities, Vm, VmOptions } from '@vireo/hypervisor';
import { HostError, tryIoctlPointer, tryIoctlValue } from '@vireo/linux';
import * as abi from './abi.ts';
import { kvmIoctl } from './ioctl.ts';
import { type KvmSystem, KvmVm } from './kvm-vm.ts';
import { cpuidBuffer, decodeCpuid } from './structs/cpuid.ts';

const E2BIG = 7;
const EINTR = 4;
const CREATE_VM_ATTEMPTS = 8;

/**
 * Opens the host's KVM.
 * @throws HostError when the device is missing or not ours to use, or speaks another version of the interface.
 */
export function openKvm(device = '/dev/kvm'): Hypervisor {
  return closedOnError(openDevice(device), (fd) => {
    const version = kvmIoctl(fd, abi.KVM_GET_API_VERSION, 0);
    if (version === abi.KVM_API_VERSION) return new Kvm(fd);
    throw new RangeError(
      `${device} speaks version ${version} of the KVM interface, not ${abi.KVM_API_VERSION}`,
    );
  });
}

class Kvm implements Hypervisor, KvmSystem {
  readonly name = 'kvm';
  readonly capabilities: HypervisorCapabilities;
  readonly runSizeBytes: number;
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
    this.runSizeBytes = kvmIoctl(fd, abi.KVM_GET_VCPU_MMAP_SIZE, 0);
    this.capabilities = {
      maxVcpus: this.check(fd, abi.KVM_CAP_MAX_VCPUS),
      maxMemorySlots: this.check(fd, abi.KVM_CAP_NR_MEMSLOTS),
      maxMemoryBytes: null,
      readonlyMemory: this.check(fd, abi.KVM_CAP_READONLY_MEM) > 0,
      hardwareBreakpoints: 4,
      tscDeadlineTimer: this.check(fd, abi.KVM_CAP_TSC_DEADLINE_TIMER) > 0,
    };
  }

  check(fd: number, capability: number): number {
    return kvmIoctl(fd, abi.KVM_CHECK_EXTENSION, capability);
  }

  supportedCpuid(): CpuidEntry[] {
    for (let leaves = 128; ; leaves *= 2) {
      const list = cpuidBuffer(leaves);
      const result = tryIoctlPointer(this.#fd, abi.KVM_GET_SUPPORTED_CPUID, list);
      if (result >= 0) return decodeCpuid(list);
      if (result !== -E2BIG) throw new HostError('ioctl', -result, { subject: 'KVM_GET_SUPPORTED_CPUID' });
    }
  }

  createVm(options: VmOptions = {}): Vm {
    return closedOnError(this.#createVmFile(), (fd) => new KvmVm(fd, this, options));
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** KVM_CREATE_VM gives up on any pending signal; V8's own timers send some. */
  #createVmFile(): number {
    for (let attempt = 0; attempt < CREATE_VM_ATTEMPTS; attempt++) {
      const fd = tryIoctlValue(this.#fd, abi.KVM_CREATE_VM, 0);
      if (fd !== -EINTR) return fd >= 0 ? fd : fail(fd);
    }
    return fail(-EINTR);
  }
}

function fail(result: number): never {
  throw new HostError('ioctl', -result, { subject: 'KVM_CREATE_VM' });
}

function openDevice(device: string): number {
  try {
    return openSync(device, 'r+');
  } catch (error) {
    throw HostError.from(error, { subject: device, advice: 'Run `vireo doctor` to see what is missing.' });
  }
}

function closedOnError<T>(fd: number, use: (fd: number) => T): T {
  try {
    return use(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
