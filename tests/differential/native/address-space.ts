/**
 * The memory that tested code sees: fixed addresses below 4 GiB, so that 32-bit code reaches all of it. The tracer
 * shares it, so that writing it before a case and reading it afterwards are ordinary loads and stores and cost no
 * system calls.
 *
 *     0x10000000  code, readable and executable; nothing follows it
 *     0x10010000  data, readable and writable; nothing before or after it
 *     0x1001f000  a page that can be written, too, for accesses that cross its end
 *     0x10020000  read-only data; nothing after it
 */
import type { Tracee } from '@vireo/linux';
import { SharedMemory } from './shared-memory.ts';

const PAGE_BYTES = 4096;

export interface Layout {
  readonly codeGva: number;
  readonly codeLengthBytes: number;
  readonly dataGva: number;
  readonly dataLengthBytes: number;
  /** A writable page, and the read-only one right behind it. */
  readonly borderGva: number;
  readonly borderLengthBytes: number;
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
  borderGva: 0x1001_f000,
  borderLengthBytes: PAGE_BYTES,
  readonlyGva: 0x1002_0000,
  readonlyLengthBytes: PAGE_BYTES,
  unmappedGva: 0x1001_0000 + 4 * PAGE_BYTES,
};

/** INT3: what is all over the code page but for the code. */
const BREAKPOINT = 0xcc;

export class AddressSpace implements Disposable {
  readonly #memory = new SharedMemory('silicon', [
    { gva: LAYOUT.codeGva, lengthBytes: LAYOUT.codeLengthBytes, protection: 'read-execute' },
    { gva: LAYOUT.dataGva, lengthBytes: LAYOUT.dataLengthBytes, protection: 'read-write' },
    { gva: LAYOUT.borderGva, lengthBytes: LAYOUT.borderLengthBytes, protection: 'read-write' },
    { gva: LAYOUT.readonlyGva, lengthBytes: LAYOUT.readonlyLengthBytes, protection: 'read' },
  ]);
  readonly #code = this.#memory.view(LAYOUT.codeGva, LAYOUT.codeLengthBytes).fill(BREAKPOINT);
  readonly #data = this.#memory.view(LAYOUT.dataGva, LAYOUT.dataLengthBytes);
  readonly #border = this.#memory.view(LAYOUT.borderGva, LAYOUT.borderLengthBytes);
  readonly #readonly = this.#memory.view(LAYOUT.readonlyGva, LAYOUT.readonlyLengthBytes);
  #codeStart = 0;
  #codeEnd = 0;

  mapInto(tracee: Tracee, instruction: number): void {
    this.#memory.mapInto(tracee, instruction);
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
    this.#border.fill(0);
    this.#readonly.fill(0);
  }

  /** Writes data, read-only data too. */
  write(gva: number, bytes: Uint8Array): void {
    this.#memory.view(gva, bytes.length).set(bytes);
  }

  read(gva: number, lengthBytes: number): Uint8Array {
    return this.#memory.view(gva, lengthBytes).slice();
  }

  [Symbol.dispose](): void {
    this.#memory[Symbol.dispose]();
  }
}
