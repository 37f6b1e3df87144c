/** The engine's interpreter with the memory that tested code sees on silicon: one instruction at a time. */
import { emptyCodeTable } from '@vireo/x86-engine/code-table';
import { CPU_STATE_SPAN_BYTES, CPU_STATE_STRIDE_BYTES, offsetOf } from '@vireo/x86-engine/cpu-state';
import { EXIT } from '@vireo/x86-engine/exit-reason';
import { setFlatSegments } from '@vireo/x86-engine/flat-segments';
import {
  type InterpreterExports,
  makeInterpreter,
  stopHandler,
} from '@vireo/x86-engine/interpreter/interpreter-module';
import { RecordWriter } from '@vireo/x86-engine/interpreter/record-writer';
import { listVariants, VariantIndex } from '@vireo/x86-engine/interpreter/variants';
import { isMisaligned, requiredAlignment } from '@vireo/x86-engine/memory/alignment-check';
import { FLAG_BIT, setStatusFlags } from '@vireo/x86-engine/status-flags';
import { bareHost } from '@vireo/x86-engine/testing/bare-host';
import { instantiate } from '@vireo/x86-engine/testing/test-interpreter';
import { emptyTlb, setTlbEntry } from '@vireo/x86-engine/tlb';
import { type Decoded, decode } from '@vireo/x86-isa';
import { locate, type MemoryFault, PAGE_BYTES, REGIONS } from './memory-map.ts';
import { LAYOUT } from './native/address-space.ts';
import type { SegmentBases } from './test-case.ts';

const STATE = CPU_STATE_STRIDE_BYTES;
const TLB = 0x18000;
const RECORDS = 0x20000;
const CODE_TABLE = 0x80000;
/** Stays empty: all accesses are slow ones. */
const CLOSED_TLB = 0xf0000;
const MEMORY_PAGES = 16;
/** All but CF, PF, AF, ZF, SF, OF. */
const OTHER_FLAGS = ~0x8d5n;
/** Among the segment registers. */
const FS = 4;
const GS = 5;
const CLEARED = [REGIONS.data, REGIONS.border];

export interface EngineResult {
  readonly registers: BigUint64Array;
  readonly rflags: bigint;
  readonly rip: bigint;
  readonly decoded: Decoded;
  readonly fault?: MemoryFault;
  /** The vector of the exception that was raised. */
  readonly exception?: number;
}

export class EngineMachine {
  readonly #memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES, shared: true });
  readonly #view = new DataView(this.#memory.buffer);
  readonly #bytes = new Uint8Array(this.#memory.buffer);
  readonly #exports: InterpreterExports;
  readonly #writer: RecordWriter;
  readonly #end: number;
  readonly #registers = new BigUint64Array(this.#memory.buffer, STATE + offsetOf('general'), 16);
  #fault: MemoryFault | undefined;
  #code: Uint8Array | undefined;
  #decoded: Decoded | undefined;
  /** As with CR0.AM and RFLAGS.AC. */
  checksAlignment = false;

  constructor() {
    const variants = listVariants();
    const module = new WebAssembly.Module(
      makeInterpreter({ minimumPages: MEMORY_PAGES, maximumPages: MEMORY_PAGES }, variants),
    );
    const slow = (isWrite: boolean) => (_state: number, _record: number, gva: bigint, lengthBytes: number) =>
      this.#slowAccess(gva, lengthBytes, isWrite);
    const host = { memory: this.#memory, ...bareHost(slow(false), slow(true)) };
    this.#exports = instantiate(module, host);
    this.#writer = new RecordWriter(this.#memory.buffer, STATE, new VariantIndex(variants));
    this.#end = stopHandler(variants);
    this.#fillTlb();
  }

  /** `memory` is at `memoryGva`, and all else zero. @returns undefined when there is no such instruction */
  run(
    code: Uint8Array,
    registers: BigUint64Array,
    rflags: bigint,
    memory: Uint8Array,
    memoryGva = LAYOUT.dataGva,
  ): EngineResult | undefined {
    const decoded = this.#load(code);
    if (decoded === undefined) return undefined;
    for (const { at, lengthBytes } of CLEARED) this.#bytes.fill(0, at, at + lengthBytes);
    this.#bytes.set(memory, REGIONS.data.at + memoryGva - LAYOUT.dataGva);
    this.#registers.set(registers);
    this.#setFlags(rflags);
    this.#view.setBigUint64(STATE + offsetOf('codeBase'), BigInt(LAYOUT.codeGva), true);
    this.#fault = undefined;
    this.#view.setUint32(STATE + offsetOf('tlb'), this.checksAlignment ? CLOSED_TLB : TLB, true);
    const reason = this.#exports.run(STATE, RECORDS);
    const faulted = reason === EXIT.memoryFault ? this.#fault : undefined;
    return {
      registers: this.#registers.slice(),
      rflags: this.#flags(),
      rip: faulted ? BigInt(LAYOUT.codeGva) : this.#view.getBigUint64(STATE + offsetOf('rip'), true),
      decoded,
      ...(faulted === undefined ? {} : { fault: faulted }),
      ...(reason === EXIT.exception && {
        exception: this.state.getUint32(offsetOf('exceptionVector'), true),
      }),
    };
  }

  setSegmentBases({ fs, gs }: SegmentBases): void {
    const bases = STATE + offsetOf('segmentBases');
    this.#view.setBigUint64(bases + 8 * FS, BigInt(fs), true);
    this.#view.setBigUint64(bases + 8 * GS, BigInt(gs), true);
  }

  /** The vCPU's state, for what few cases look at. */
  get state(): DataView {
    return new DataView(this.#memory.buffer, STATE, CPU_STATE_SPAN_BYTES);
  }

  /** The data as it is now, or a part of it or of the border's page. */
  data({ gva, lengthBytes } = { gva: LAYOUT.dataGva, lengthBytes: LAYOUT.dataLengthBytes }): Uint8Array {
    const region = gva >= LAYOUT.borderGva ? REGIONS.border : REGIONS.data;
    const start = region.at + gva - region.gva;
    return this.#bytes.slice(start, start + lengthBytes);
  }

  /** Decodes, unless it was this code before. */
  #load(code: Uint8Array): Decoded | undefined {
    if (code === this.#code) return this.#decoded;
    const decoded = decode(code, 64);
    this.#code = code;
    this.#decoded = typeof decoded === 'string' ? undefined : decoded;
    if (typeof decoded !== 'string')
      this.#writer.end(this.#writer.write(RECORDS, decoded, 0, 64), this.#end, decoded.lengthBytes);
    return this.#decoded;
  }

  #fillTlb(): void {
    // An empty table: every jump comes back to us.
    this.#view.setUint32(STATE + offsetOf('codeTable'), CODE_TABLE, true);
    emptyCodeTable(this.#view, CODE_TABLE);
    setFlatSegments(this.#view, STATE);
    // Strings are done to their end.
    this.#view.setUint32(STATE + offsetOf('budget'), 2 ** 31 - 1, true);
    for (const tlb of [TLB, CLOSED_TLB]) emptyTlb(this.#bytes, tlb);
    for (const { gva, lengthBytes, at, writable } of Object.values(REGIONS))
      for (let page = 0; page < lengthBytes; page += PAGE_BYTES)
        setTlbEntry(this.#view, TLB, { gva: BigInt(gva + page), address: at + page, writable });
  }

  #slowAccess(gva: bigint, lengthBytes: number, isWrite: boolean): number {
    const address = BigInt.asUintN(64, gva);
    const found = locate({ gva: address, lengthBytes, isWrite });
    const isCanonical = typeof found === 'number' || found.kind !== 'not-canonical';
    if (isCanonical && this.#isMisaligned(address, lengthBytes))
      this.#fault = { kind: 'misaligned', address };
    else if (typeof found === 'number') return found;
    else this.#fault = found;
    return 0;
  }

  #isMisaligned(gva: bigint, lengthBytes: number): boolean {
    if (!this.checksAlignment) return false;
    const { instruction, operandBits } = this.#decoded!;
    return isMisaligned(gva, requiredAlignment(instruction.mnemonic, operandBits, lengthBytes));
  }

  #setFlags(rflags: bigint): void {
    setStatusFlags(this.state, Number(rflags & 0xffffn));
    this.#view.setBigUint64(STATE + offsetOf('otherFlags'), rflags & OTHER_FLAGS, true);
  }

  #flags(): bigint {
    let word = this.#view.getBigUint64(STATE + offsetOf('otherFlags'), true);
    for (const [flag, bit] of Object.entries(FLAG_BIT))
      word |= BigInt(this.#exports[`flag${flag}`]!(STATE)) << BigInt(bit);
    return word;
  }
}
