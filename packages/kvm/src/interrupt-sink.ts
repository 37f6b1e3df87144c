/** Interrupt lines and messages of a KVM VM, from any thread of the process (Linux KVM API §4.25 "KVM_IRQ_LINE", §4.70 "KVM_SIGNAL_MSI"). */
import type { InterruptSink, Msi } from '@vireo/hypervisor';
import { KVM_IRQ_LINE, KVM_SIGNAL_MSI } from './abi.ts';
import { kvmIoctlPointer } from './ioctl.ts';

export class KvmInterruptSink implements InterruptSink {
  readonly #vmFd: number;
  readonly #level = new Uint32Array(2);
  readonly #levelBytes = new Uint8Array(this.#level.buffer);
  readonly #message = new Uint8Array(32);
  readonly #messageView = new DataView(this.#message.buffer);

  constructor(vmFd: number) {
    this.#vmFd = vmFd;
  }

  setIrqLine(gsi: number, level: boolean): void {
    this.#level[0] = gsi;
    this.#level[1] = level ? 1 : 0;
    kvmIoctlPointer(this.#vmFd, KVM_IRQ_LINE, this.#levelBytes);
  }

  signalMsi(msi: Msi): boolean {
    this.#messageView.setBigUint64(0, msi.address, true);
    this.#messageView.setUint32(8, msi.data, true);
    return kvmIoctlPointer(this.#vmFd, KVM_SIGNAL_MSI, this.#message) > 0;
  }
}
