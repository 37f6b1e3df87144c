/** The vCPU's memory unit, which is WebAssembly (assembly/memory-unit): an instance of it, with what it asks of its host. */
import type { InterpreterImports } from '../interpreter/interpreter-module.ts';
import type { VcpuArea } from '../memory-map.ts';

export interface MemoryUnitHost {
  readonly memory: WebAssembly.Memory;
  /** Accesses that are a device's, that fault, or that debug registers watch. */
  readonly slowRead: InterpreterImports['slowRead'];
  readonly slowWrite: InterpreterImports['slowWrite'];
  /** Code that some vCPU may have decoded is about to be written. */
  readonly codeWritten: () => void;
  /** Has the guest stopped behind the instruction of a record. */
  readonly endAfter: (record: number) => void;
}

type Word = Readonly<WebAssembly.Global<'i32'>>;
type Long = Readonly<WebAssembly.Global<'i64'>>;

/** Addresses are ours but for `gva`, `gpa` and `rip`. */
export interface MemoryUnit {
  /** What the interpreter calls where its TLB has nothing. */
  readonly read: InterpreterImports['slowRead'];
  readonly write: InterpreterImports['slowWrite'];
  setControls(mode: number, controls: number, root: bigint, reserved: bigint): void;
  refreshSlots(): void;
  /** Where memory is in ours, to be written, of which the log and decoded code are told; 0: there is none, or read-only. */
  writableAddressOf(gpa: bigint): number;
  /** By the TLB or the page tables. `gva` is canonical, as the mode has it. @returns an address, or 0: `outcome` */
  find(gva: bigint, kind: number, rights: number): number;
  readonly outcome: Word;
  readonly errorCode: Word;
  /** Where the last walk went, its page, and whether it may be written through it by now. */
  readonly gpa: Long;
  readonly pageShift: Word;
  readonly mayWrite: Word;
  readonly isGlobal: Word;
  /** Of a write to read-only memory: where it can be read. */
  readonly readAddress: Word;
  /** Forget translations: all, or all but those of global pages. */
  empty(): void;
  emptyLocal(): void;
  /** Forgets a page, and what was decoded by its addresses. */
  dropPage(gva: bigint): void;
  /** Has the pages at UNIT.watched, so many of them, never enter a TLB. */
  watch(count: number): void;
  /** 16, 32 or 64 bits. */
  setCodeMode(modeBits: number): void;
  /** @returns the record of the instruction there, or 0: `codeOutcome`, and `codeAddress` where it is not decoded */
  findCode(rip: bigint): number;
  readonly codeOutcome: Word;
  readonly codeAddress: Word;
  /** Remembers a stretch of records, whose `bytes` are a copy of its code; `nextAddress`: of the next page, or 0. */
  keepCode(
    rip: bigint,
    ...stretch: [
      address: number,
      version: number,
      record: number,
      bytes: number,
      lengthBytes: number,
      nextAddress: number,
      nextVersion: number,
    ]
  ): void;
  /** Linear addresses of code may mean something else now: all, or all but those of global pages. */
  forgetCode(all: boolean): void;
  /** There are no records any more. */
  forgetStretches(): void;
}

interface Exports extends MemoryUnit {
  place(state: number, tlbs: number, codeTable: number, unit: number): void;
  startCode(): void;
}

export function openMemoryUnit(
  module: WebAssembly.Module,
  { state, tlbs, codeTable, unit }: VcpuArea,
  { memory, ...host }: MemoryUnitHost,
): MemoryUnit {
  const instance = new WebAssembly.Instance(module, { env: { memory }, host: { ...host } });
  const exports = instance.exports as unknown as Exports;
  exports.place(state, tlbs, codeTable, unit);
  exports.empty();
  exports.startCode();
  return exports;
}
