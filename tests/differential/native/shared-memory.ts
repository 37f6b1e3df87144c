/** Memory of the traced process that the tracer has mapped, too: one memory file, several windows onto it. */
import { closeFd, HostError, Mapping, memoryFile, type Tracee } from '@vireo/linux';

/** include/uapi/asm-generic/mman-common.h PROT_* */
const PROTECTION_BITS = { read: 1, 'read-write': 3, 'read-execute': 5 } as const;

const MAP_SHARED = 0x01;
const MAP_FIXED_NOREPLACE = 0x10_0000;
const SYS_MMAP = 9;

export interface Window {
  readonly gva: number;
  /** Whole pages. */
  readonly lengthBytes: number;
  /** What the traced process may do; the tracer may do everything. */
  readonly protection: keyof typeof PROTECTION_BITS;
}

export class SharedMemory implements Disposable {
  readonly #windows: readonly (Window & { readonly offsetBytes: number })[];
  readonly #mapping: Mapping;
  #fd: number;

  /** To be made before the process that is going to see it, since that inherits the file. */
  constructor(name: string, windows: readonly Window[]) {
    let lengthBytes = 0;
    this.#windows = windows.map((window) => {
      const offsetBytes = lengthBytes;
      lengthBytes += window.lengthBytes;
      return { ...window, offsetBytes };
    });
    this.#fd = memoryFile(name, lengthBytes, { inherited: true });
    this.#mapping = Mapping.map({ lengthBytes, fd: this.#fd });
  }

  /** Has a process map all of it. A SYSCALL instruction must stand at `instruction`. */
  mapInto(tracee: Tracee, instruction: number): void {
    for (const { gva, lengthBytes, protection, offsetBytes } of this.#windows) {
      const bits = PROTECTION_BITS[protection];
      const flags = MAP_SHARED | MAP_FIXED_NOREPLACE;
      const result = tracee.systemCall(
        instruction,
        SYS_MMAP,
        gva,
        lengthBytes,
        bits,
        flags,
        this.#fd,
        offsetBytes,
      );
      if (result < 0) throw new HostError('mmap', -result, { subject: 'in the traced process' });
      if (result !== gva)
        throw new Error(`mmap at 0x${gva.toString(16)} in the traced process returned ${result}`);
    }
  }

  /** The tracer's view of what the traced process has there. It must lie within one window. */
  view(gva: number, lengthBytes: number): Uint8Array {
    for (const window of this.#windows) {
      const start = gva - window.gva;
      if (start >= 0 && start + lengthBytes <= window.lengthBytes)
        return new Uint8Array(this.#mapping.buffer, window.offsetBytes + start, lengthBytes);
    }
    throw new RangeError(`nothing is mapped at 0x${gva.toString(16)}, ${lengthBytes} bytes`);
  }

  [Symbol.dispose](): void {
    this.#mapping.unmap();
    if (this.#fd !== -1) closeFd(this.#fd);
    this.#fd = -1;
  }
}
