/**
 * The memory that tested code sees: fixed addresses below 4 GiB, so that 32-bit code reaches all of it. It is one
 * memory file that the tracer maps too, so that writing it before a case and reading it afterwards are ordinary loads
 * and stores and cost no system calls.
 *
 *     0x10000000  code, readable and executable; nothing follows it
 *     0x10010000  data, readable and writable; nothing before or after it
 *     0x10020000  read-only data
 */
import { closeFd, ftruncate, Mapping, memfdCreate, type Tracee } from '@vireo/linux';

const PAGE_BYTES = 4096;

export interface Layout {
  readonly codeGva: number;
  readonly codeLengthBytes: number;
  readonly dataGva: number;
  readonly dataLengthBytes: number;
  readonly readonlyGva: number;
  readonly readonlyLengthBytes: number;
  /** The page after the data, where nothing is. */
  readonly unmappedGva: number;
}

export const LAYOUT: Layout = {
  codeGva: 0x1000_0000,
  codeLengthBytes: PAGE_BYTES,
  dataGva: 0x1001_0000,
  dataLengthBytes: 4 * PAGE_BYTES,
  readonlyGva: 0x1002_0000,
  readonlyLengthBytes: PAGE_BYTES,
  unmappedGva: 0x1001_0000 + 4 * PAGE_BYTES,
};

/** INT3: what is all over the code page but for the code. */
const BREAKPOINT = 0xcc;

/** include/uapi/asm-generic/mman-common.h */
const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_SHARED = 0x01;
const MAP_FIXED_NOREPLACE = 0x10_0000;

const SYS_MMAP = 9;
const SYS_CLOSE_RANGE = 436;

interface Window {
  readonly gva: number;
  readonly lengthBytes: number;
  readonly protection: number;
  readonly offsetBytes: number;
}

const WINDOWS: readonly Window[] = [
  {
    gva: LAYOUT.codeGva,
    lengthBytes: LAYOUT.codeLengthBytes,
    protection: PROT_READ | PROT_EXEC,
    offsetBytes: 0,
  },
  {
    gva: LAYOUT.dataGva,
    lengthBytes: LAYOUT.dataLengthBytes,
    protection: PROT_READ | PROT_WRITE,
    offsetBytes: LAYOUT.codeLengthBytes,
  },
  {
    gva: LAYOUT.readonlyGva,
    lengthBytes: LAYOUT.readonlyLengthBytes,
    protection: PROT_READ,
    offsetBytes: LAYOUT.codeLengthBytes + LAYOUT.dataLengthBytes,
  },
];

const TOTAL_BYTES = WINDOWS.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);

export class AddressSpace implements Disposable {
  #fd: number;
  readonly #mapping: Mapping;
  readonly #bytes: Uint8Array;
  readonly #code: Uint8Array;
  readonly #data: Uint8Array;
  #codeStart = 0;
  #codeEnd = 0;

  /** To be made before the process that is going to see it, since that inherits the file. */
  constructor() {
    this.#fd = memfdCreate('silicon', { inherited: true });
    ftruncate(this.#fd, TOTAL_BYTES);
    this.#mapping = Mapping.map({ lengthBytes: TOTAL_BYTES, fd: this.#fd });
    this.#bytes = new Uint8Array(this.#mapping.buffer);
    this.#code = this.#bytes.subarray(0, LAYOUT.codeLengthBytes).fill(BREAKPOINT);
    this.#data = this.#bytes.subarray(LAYOUT.codeLengthBytes);
  }

  /** Has a process map all of it, and close its files. A SYSCALL instruction must stand at `instruction`. */
  mapInto(tracee: Tracee, instruction: number): void {
    for (const { gva, lengthBytes, protection, offsetBytes } of WINDOWS) {
      const flags = MAP_SHARED | MAP_FIXED_NOREPLACE;
      const result = tracee.systemCall(
        instruction,
        SYS_MMAP,
        gva,
        lengthBytes,
        protection,
        flags,
        this.#fd,
        offsetBytes,
      );
      if (result !== gva)
        throw new Error(`mmap of 0x${gva.toString(16)} in the traced process returned ${result}`);
    }
    // Kernels before 5.9 have no close_range, and the files do no harm.
    tracee.systemCall(instruction, SYS_CLOSE_RANGE, 0, 0xffff_ffff, 0);
  }

  /** All data zero, and this code where RIP is, among breakpoints. */
  load(gva: bigint, code: Uint8Array): void {
    const start = Number(gva) - LAYOUT.codeGva;
    if (!(start >= 0 && start + code.length <= LAYOUT.codeLengthBytes))
      throw new RangeError(`no room for ${code.length} bytes of code at 0x${gva.toString(16)}`);
    this.#code.fill(BREAKPOINT, this.#codeStart, this.#codeEnd);
    this.#code.set(code, start);
    this.#codeStart = start;
    this.#codeEnd = start + code.length;
    this.#data.fill(0);
  }

  /** Writes data, read-only data too. */
  write(gva: number, bytes: Uint8Array): void {
    this.#view(gva, bytes.length).set(bytes);
  }

  read(gva: number, lengthBytes: number): Uint8Array {
    return this.#view(gva, lengthBytes).slice();
  }

  [Symbol.dispose](): void {
    this.#mapping.unmap();
    if (this.#fd !== -1) closeFd(this.#fd);
    this.#fd = -1;
  }

  #view(gva: number, lengthBytes: number): Uint8Array {
    for (const window of WINDOWS) {
      const start = gva - window.gva;
      if (start >= 0 && start + lengthBytes <= window.lengthBytes)
        return this.#bytes.subarray(window.offsetBytes + start, window.offsetBytes + start + lengthBytes);
    }
    throw new RangeError(`0x${gva.toString(16)}, ${lengthBytes} bytes, is not within the code or the data`);
  }
}
