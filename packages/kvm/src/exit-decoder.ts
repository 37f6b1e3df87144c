/**
 * Reads struct kvm_run after an exit, once, into the contract's sum type (Linux KVM API §5 "The kvm_run structure").
 * The objects of the frequent exits are made once and filled again, so that a burst of exits allocates nothing.
 */
import type {
  DebugExit,
  InternalErrorExit,
  IoExit,
  MmioExit,
  SystemEventExit,
  VcpuExit,
} from '@vireo/hypervisor';
import * as abi from './abi.ts';

// Offsets in struct kvm_run.
const REQUEST_INTERRUPT_WINDOW = 0;
const IMMEDIATE_EXIT = 1;
const EXIT_REASON = 8;
const IO_DIRECTION = 32;
const IO_SIZE = 33;
const IO_PORT = 34;
const IO_COUNT = 36;
const IO_DATA_OFFSET = 40;
const MMIO_ADDRESS_LOW = 32;
const MMIO_ADDRESS_HIGH = 36;
const MMIO_DATA = 40;
const MMIO_LENGTH = 48;
const MMIO_IS_WRITE = 52;
const DEBUG_EXCEPTION = 32;
const DEBUG_PC = 40;
const DEBUG_DR6 = 48;
const DEBUG_DR7 = 56;
const SUBERROR = 32;
const INTERNAL_COUNT = 36;
const INTERNAL_DATA = 40;
const EMULATION_FLAGS = 40;
const EMULATION_SIZE = 48;
const EMULATION_BYTES = 49;
const HARDWARE_REASON = 32;
const EVENT_TYPE = 32;
const EVENT_COUNT = 36;
const EVENT_DATA = 40;

const INTERNAL_DATA_MAX = 16;
const INSTRUCTION_BYTES_MAX = 15;

const INTERRUPTED: VcpuExit = { kind: 'interrupted' };
const HLT: VcpuExit = { kind: 'hlt' };
const SHUTDOWN: VcpuExit = { kind: 'shutdown' };
const INTERRUPT_WINDOW: VcpuExit = { kind: 'interrupt-window' };

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** The page that KVM and a vCPU's thread share. */
export class RunPage {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #io: Writable<IoExit>;
  readonly #mmio: Writable<MmioExit>;
  #ioDataOffset = 0;

  /** `buffer`: the whole mapping of the vCPU's file, KVM_GET_VCPU_MMAP_SIZE bytes. */
  constructor(buffer: ArrayBuffer) {
    this.#view = new DataView(buffer);
    this.#bytes = new Uint8Array(buffer);
    this.#io = { kind: 'io', direction: 'in', port: 0, sizeBytes: 1, count: 1, data: this.#view };
    this.#mmio = {
      kind: 'mmio',
      direction: 'read',
      gpa: 0,
      lengthBytes: 1,
      data: new DataView(buffer, MMIO_DATA, 8),
    };
  }

  /** Read by KVM at every entry; another thread may set it, hence atomic. */
  set immediateExit(on: boolean) {
    Atomics.store(this.#bytes, IMMEDIATE_EXIT, on ? 1 : 0);
  }

  set interruptWindowRequested(on: boolean) {
    this.#bytes[REQUEST_INTERRUPT_WINDOW] = on ? 1 : 0;
  }

  /** The exit that KVM_RUN just returned with. */
  decode(): VcpuExit {
    const reason = this.#view.getUint32(EXIT_REASON, true);
    switch (reason) {
      case abi.KVM_EXIT_IO:
        return this.#decodeIo();
      case abi.KVM_EXIT_MMIO:
        return this.#decodeMmio();
      case abi.KVM_EXIT_HLT:
        return HLT;
      case abi.KVM_EXIT_SHUTDOWN:
        return SHUTDOWN;
      case abi.KVM_EXIT_INTR:
        return INTERRUPTED;
      case abi.KVM_EXIT_IRQ_WINDOW_OPEN:
        return INTERRUPT_WINDOW;
      case abi.KVM_EXIT_DEBUG:
        return this.#decodeDebug();
      case abi.KVM_EXIT_SYSTEM_EVENT:
        return this.#decodeSystemEvent();
      case abi.KVM_EXIT_FAIL_ENTRY:
        return { kind: 'fail-entry', hardwareReason: this.#view.getBigUint64(HARDWARE_REASON, true) };
      case abi.KVM_EXIT_INTERNAL_ERROR:
        return this.#decodeInternalError();
      default:
        return { kind: 'unknown', reason };
    }
  }

  #decodeIo(): IoExit {
    const view = this.#view;
    const exit = this.#io;
    exit.direction = view.getUint8(IO_DIRECTION) === abi.KVM_EXIT_IO_OUT ? 'out' : 'in';
    exit.sizeBytes = view.getUint8(IO_SIZE) as 1 | 2 | 4;
    exit.port = view.getUint16(IO_PORT, true);
    exit.count = view.getUint32(IO_COUNT, true);
    const offset = view.getUint32(IO_DATA_OFFSET, true);
    if (offset !== this.#ioDataOffset) {
      this.#ioDataOffset = offset;
      exit.data = new DataView(view.buffer, offset);
    }
    return exit;
  }

  #decodeMmio(): MmioExit {
    const view = this.#view;
    const exit = this.#mmio;
    // A guest physical address has at most 52 bits, which a number holds exactly.
    exit.gpa = view.getUint32(MMIO_ADDRESS_LOW, true) + view.getUint32(MMIO_ADDRESS_HIGH, true) * 2 ** 32;
    exit.lengthBytes = view.getUint32(MMIO_LENGTH, true);
    exit.direction = view.getUint8(MMIO_IS_WRITE) !== 0 ? 'write' : 'read';
    return exit;
  }

  #decodeDebug(): DebugExit {
    const view = this.#view;
    return {
      kind: 'debug',
      exception: view.getUint32(DEBUG_EXCEPTION, true),
      pc: view.getBigUint64(DEBUG_PC, true),
      dr6: view.getBigUint64(DEBUG_DR6, true),
      dr7: view.getBigUint64(DEBUG_DR7, true),
    };
  }

  #decodeSystemEvent(): SystemEventExit {
    const type = this.#view.getUint32(EVENT_TYPE, true);
    const events: Record<number, SystemEventExit['event']> = {
      [abi.KVM_SYSTEM_EVENT_SHUTDOWN]: 'shutdown',
      [abi.KVM_SYSTEM_EVENT_RESET]: 'reset',
      [abi.KVM_SYSTEM_EVENT_CRASH]: 'crash',
    };
    const code = this.#view.getUint32(EVENT_COUNT, true) > 0 ? this.#view.getUint32(EVENT_DATA, true) : 0;
    return { kind: 'system-event', event: events[type] ?? 'other', code };
  }

  #decodeInternalError(): InternalErrorExit {
    const view = this.#view;
    const suberror = view.getUint32(SUBERROR, true);
    const count = Math.min(view.getUint32(INTERNAL_COUNT, true), INTERNAL_DATA_MAX);
    const detail = Array.from({ length: count }, (_, i) => view.getBigUint64(INTERNAL_DATA + i * 8, true));
    let instructionBytes = new Uint8Array();
    if (suberror === abi.KVM_INTERNAL_ERROR_EMULATION && count > 0) {
      const flags = view.getUint32(EMULATION_FLAGS, true);
      if (flags & abi.KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) {
        const size = Math.min(view.getUint8(EMULATION_SIZE), INSTRUCTION_BYTES_MAX);
        instructionBytes = this.#bytes.slice(EMULATION_BYTES, EMULATION_BYTES + size);
      }
    }
    return { kind: 'internal-error', suberror, detail, instructionBytes };
  }
}
