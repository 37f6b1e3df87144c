/** The interpreter with flat memory and no devices, for tests and measurements: linear addresses are offsets in RAM. */

import { CodeDecoder } from '../code-decoder.ts';
import { CODE_TABLE_BYTES } from '../code-table.ts';
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
const RECORDS_BYTES = 0x40000;
const RAM = 0x100000;
const RAM_BYTES = 0x800000;
const MEMORY_PAGES = (RAM + RAM_BYTES) / 65536;

export class FlatMachine {
  readonly #memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES, shared: true });
  readonly #view = new DataView(this.#memory.buffer);
  readonly #bytes = new Uint8Array(this.#memory.buffer);
  readonly #exports: InterpreterExports;
  readonly #decoder: CodeDecoder;

  constructor() {
    const variants = listVariants();
    const limits = { minimumPages: MEMORY_PAGES, maximumPages: MEMORY_PAGES };
    const module = new WebAssembly.Module(makeInterpreter(limits, variants));
    const slow = (_state: number, _record: number, gva: bigint, lengthBytes: number) =>
      this.#slowAccess(gva, lengthBytes);
    const host = { memory: this.#memory, ...bareHost(slow) };
    this.#exports = instantiate(module, host);
    const layout = { memory: this.#memory.buffer, codeTable: CODE_TABLE, records: RECORDS };
    this.#decoder = new CodeDecoder(
      { ...layout, recordsBytes: RECORDS_BYTES, fallThroughHandler: fallThroughHandler(variants) },
      new RecordWriter(this.#memory.buffer, STATE, new VariantIndex(variants)),
      (gva) => this.#fetch(gva),
    );
    this.#view.setUint32(STATE + offsetOf('tlb'), TLB, true);
    this.#view.setUint32(STATE + offsetOf('codeTable'), CODE_TABLE, true);
    setFlatSegments(this.#view, STATE);
    this.#view.setUint32(STATE + offsetOf('budget'), 2 ** 31 - 1, true);
    emptyTlb(this.#bytes, TLB);
  }

  load(gva: number, bytes: Uint8Array): void {
    this.#bytes.set(bytes, RAM + gva);
    this.#decoder.clear();
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
      const record = this.#decoder.find(rip, 64);
      if (record === undefined) throw new Error(`no instruction at 0x${rip.toString(16)}`);
      this.#view.setBigUint64(STATE + offsetOf('codeBase'), rip, true);
      if (this.#exports.run(STATE, record) === EXIT.memoryFault)
        throw new Error('an access outside of memory');
      rip = this.#view.getBigUint64(STATE + offsetOf('rip'), true);
    }
  }

  #fetch(gva: bigint): Uint8Array | undefined {
    if (gva < 0n || gva >= BigInt(RAM_BYTES)) return undefined;
    const start = RAM + Number(gva);
    return this.#bytes.slice(start, start - (start % PAGE_BYTES) + PAGE_BYTES + MORE_BYTES);
  }

  #slowAccess(gva: bigint, lengthBytes: number): number {
    if (gva < 0n || gva + BigInt(lengthBytes) > BigInt(RAM_BYTES)) return 0;
    const page = gva & -BigInt(PAGE_BYTES);
    setTlbEntry(this.#view, TLB, { gva: page, address: RAM + Number(page), writable: true });
    return RAM + Number(gva);
  }
}
