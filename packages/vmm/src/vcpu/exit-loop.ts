/**
 * What a vCPU's thread does: run the guest, and answer or hand over its accesses, until something ends the vCPU.
 *
 * Devices that a guest touches on every character or every boot step are served here; `local` has them. All other
 * accesses go to the main thread.
 */
import type { Bus } from '@vireo/devices/bus';
import type { IoExit, MmioExit, Vcpu, VcpuExit } from '@vireo/hypervisor';
import { COMMAND_RUN, type VcpuMailbox } from './mailbox.ts';

/** Why the loop ended. */
export type LoopEnd = { readonly kind: 'commanded' } | { readonly kind: 'failed'; readonly exit: VcpuExit };

export class ExitLoop {
  readonly #vcpu: Vcpu;
  readonly #mailbox: VcpuMailbox;
  readonly #local: Bus;

  constructor(vcpu: Vcpu, mailbox: VcpuMailbox, local: Bus) {
    this.#vcpu = vcpu;
    this.#mailbox = mailbox;
    this.#local = local;
  }

  run(): LoopEnd {
    for (;;) {
      const exit = this.#vcpu.run();
      switch (exit.kind) {
        case 'io':
          this.#serveIo(exit);
          break;
        case 'mmio':
          this.#serveMmio(exit);
          break;
        case 'interrupted':
          if (this.#mailbox.command !== COMMAND_RUN) return { kind: 'commanded' };
          break;
        case 'interrupt-window':
          break;
        case 'hlt': // only without in-kernel interrupt controllers, where nothing could wake it
        case 'shutdown':
        case 'debug':
        case 'system-event':
        case 'fail-entry':
        case 'internal-error':
        case 'unknown':
          return { kind: 'failed', exit };
      }
    }
  }

  #serveIo(exit: IoExit): void {
    const { port, sizeBytes, count, data } = exit;
    const isWrite = exit.direction === 'out';
    const local = this.#local.has(port);
    for (let i = 0; i < count; i++) {
      const at = i * sizeBytes;
      if (isWrite) {
        const value = get(data, at, sizeBytes);
        if (local) this.#local.write(port, sizeBytes, value);
        else this.#mailbox.access(true, false, port, sizeBytes, value);
      } else {
        const value = local
          ? this.#local.read(port, sizeBytes)
          : this.#mailbox.access(false, false, port, sizeBytes, 0);
        set(data, at, sizeBytes, value);
      }
    }
  }

  /** Wider accesses go in parts of four bytes at most: PCI has no wider registers that need one piece. */
  #serveMmio(exit: MmioExit): void {
    const { gpa, lengthBytes, data } = exit;
    for (let at = 0; at < lengthBytes; at += 4) {
      const size = Math.min(4, lengthBytes - at);
      if (exit.direction === 'write') this.#mailbox.access(true, true, gpa + at, size, get(data, at, size));
      else set(data, at, size, this.#mailbox.access(false, true, gpa + at, size, 0));
    }
  }
}

/** Little-endian, unsigned, 1 to 4 bytes. */
function get(data: DataView, at: number, sizeBytes: number): number {
  switch (sizeBytes) {
    case 1:
      return data.getUint8(at);
    case 2:
      return data.getUint16(at, true);
    case 4:
      return data.getUint32(at, true);
    default: // 3: an access cut at a page
      return data.getUint16(at, true) | (data.getUint8(at + 2) << 16);
  }
}

function set(data: DataView, at: number, sizeBytes: number, value: number): void {
  switch (sizeBytes) {
    case 1:
      data.setUint8(at, value);
      break;
    case 2:
      data.setUint16(at, value, true);
      break;
    case 4:
      data.setUint32(at, value, true);
      break;
    default:
      data.setUint16(at, value, true);
      data.setUint8(at + 2, value >>> 16);
  }
}
