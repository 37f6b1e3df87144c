/** The interpreter with flat memory and no devices, for tests and measurements: linear addresses are offsets in RAM. */
import { decode } from '@vireo/x86-isa';
import {
  CODE_TABLE_BYTES,
  CODE_TABLE_ENTRY,
  CODE_TABLE_ENTRY_BYTES,
  codeTablePlace,
  emptyCodeTable,
} from '../code-table.ts';
import { CPU_STATE_STRIDE_BYTES, offsetOf } from '../cpu-state.ts';
import { EXIT } from '../exit-reason.ts';
import { setFlatSegments } from '../flat-segments.ts';
import {
  fallThroughHandler,
  type InterpreterExports,
  makeInterpreter,
} from '../interpreter/interpreter-module.ts';
import { RecordWriter } from '../interpreter/record-writer.ts';
import { listVariants, VariantIndex } from '../interpreter/variants.ts';
import { emptyTlb, setTlbEntry, TLB_BYTES } from '../tlb.ts';
import { bareHost } from './bare-host.ts';
import { instantiate } from './test-interpreter.ts';

const PAGE_BYTES = 4096;
/** So much of an instruction may be on the next page. */
const MORE_BYTES = 14;
const STATE = CPU_STATE_STRIDE_BYTES;
const TLB = 0x20000;
const CODE_TABLE = TLB + TLB_BYTES;
const RECORDS = CODE_TABLE + CODE_TABLE_BYTES;
/** So that a loop comes to several stretches. */
const MOST_INSTRUCTIONS = 64;
const ALWAYS_JUMPS = new Set(['JMP', 'RET']);
const RAM = 0x100000;
const RAM_BYTES = 0x800000;
const MEMORY_PAGES = (RAM + RAM_BYTES) / 65536;

export class FlatMachine {
  readonly #memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES, shared: true });
  readonly #view = new DataView(this.#memory.buffer);
  readonly #bytes = new Uint8Array(this.#memory.buffer);
  readonly #exports: InterpreterExports;
  readonly #writer: RecordWriter;
  readonly #fallThrough: number;
  #nextRecord = RECORDS;

  constructor() {
    const variants = listVariants();
    const limits = { minimumPages: MEMORY_PAGES, maximumPages: MEMORY_PAGES };
    const module = new WebAssembly.Module(makeInterpreter(limits, variants));
    const slow = (_state: number, _record: number, gva: bigint, lengthBytes: number) =>
      this.#slowAccess(gva, lengthBytes);
    const host = { memory: this.#memory, ...bareHost(slow) };
    this.#exports = instantiate(module, host);
    this.#writer = new RecordWriter(this.#memory.buffer, STATE, new VariantIndex(variants));
    this.#fallThrough = fallThroughHandler(variants);
    this.#view.setUint32(STATE + offsetOf('tlb'), TLB, true);
    this.#view.setUint32(STATE + offsetOf('codeTable'), CODE_TABLE, true);
    setFlatSegments(this.#view, STATE);
    this.#view.setUint32(STATE + offsetOf('budget'), 2 ** 31 - 1, true);
    emptyTlb(this.#bytes, TLB);
    emptyCodeTable(this.#view, CODE_TABLE);
  }

  /** Before anything has run. */
  load(gva: number, bytes: Uint8Array): void {
    this.#bytes.set(bytes, RAM + gva);
  }

  getRegister(number: number): bigint {
    return this.#view.getBigUint64(STATE + number * 8, true);
  }

  setRegister(number: number, value: bigint): void {
    this.#view.setBigUint64(STATE + number * 8, value, true);
  }

  /** Runs from one address until it comes to another. @throws Error where the guest cannot go on */
  run(from: bigint, until: bigint): void {
    for (let rip = from; rip !== until; ) {
      const record = this.#decode(rip);
      this.#view.setBigUint64(STATE + offsetOf('codeBase'), rip, true);
      if (this.#exports.run(STATE, record) === EXIT.memoryFault)
        throw new Error('an access outside of memory');
      rip = this.#view.getBigUint64(STATE + offsetOf('rip'), true);
    }
  }

  /** A stretch, for jumps to find. @returns its first record */
  #decode(rip: bigint): number {
    const start = RAM + Number(rip);
    const bytes = this.#bytes.slice(start, start - (start % PAGE_BYTES) + PAGE_BYTES + MORE_BYTES);
    const first = this.#nextRecord;
    let at = 0;
    for (let count = 0; count < MOST_INSTRUCTIONS && at < bytes.length - MORE_BYTES; count++) {
      const decoded = decode(bytes, 64, at);
      if (typeof decoded === 'string') throw new Error(`no instruction at 0x${rip.toString(16)}`);
      this.#nextRecord = this.#writer.write(this.#nextRecord, decoded, at, 64);
      at += decoded.lengthBytes;
      if (ALWAYS_JUMPS.has(decoded.instruction.mnemonic)) break;
    }
    this.#nextRecord = this.#writer.end(this.#nextRecord, this.#fallThrough, at);
    const entry = CODE_TABLE + codeTablePlace(rip) * CODE_TABLE_ENTRY_BYTES;
    this.#view.setBigUint64(entry + CODE_TABLE_ENTRY.rip, rip, true);
    this.#view.setUint32(entry + CODE_TABLE_ENTRY.record, first, true);
    return first;
  }

  #slowAccess(gva: bigint, lengthBytes: number): number {
    if (gva < 0n || gva + BigInt(lengthBytes) > BigInt(RAM_BYTES)) return 0;
    const page = gva & -BigInt(PAGE_BYTES);
    setTlbEntry(this.#view, TLB, { gva: page, address: RAM + Number(page), writable: true });
    return RAM + Number(gva);
  }
}
