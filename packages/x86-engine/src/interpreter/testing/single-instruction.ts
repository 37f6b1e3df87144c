/** The interpreter with a few instructions' handlers only, for tests of what runs one of them with little memory or none. */
import { decode, type ModeBits, type StatusFlag } from '@vireo/x86-isa';
import { CPU_STATE_SPAN_BYTES, CPU_STATE_STRIDE_BYTES, offsetOf } from '../../cpu-state.ts';
import { EXIT } from '../../exit-reason.ts';
import { setFlatSegments } from '../../flat-segments.ts';
import { FLAG_BIT, setStatusFlags } from '../../status-flags.ts';
import { bareHost } from '../../testing/bare-host.ts';
import { instantiate } from '../../testing/test-interpreter.ts';
import { emptyTlb, setTlbEntry, TLB_BYTES } from '../../tlb.ts';
import { type InterpreterExports, makeInterpreter, stopHandler } from '../interpreter-module.ts';
import { RecordWriter } from '../record-writer.ts';
import { listVariants, VariantIndex } from '../variants.ts';

const STATE = CPU_STATE_STRIDE_BYTES;
const RECORDS = 0x8000;
const TLB = 0x14000;
const DATA = TLB + TLB_BYTES;
const MEMORY_PAGES = 2;
const PAGE_BYTES = 4096;
/** The one page of memory. */
export const DATA_GVA = 0x5000n;
const FLAGS = Object.keys(FLAG_BIT) as StatusFlag[];

export interface Outcome {
  readonly registers: BigUint64Array;
  /** Names of those that are set, in the order of FLAG_BIT. */
  readonly flags: readonly StatusFlag[];
  /** The vector of what it raised. */
  readonly exception?: number;
}

export class SingleInstruction {
  readonly #memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES, shared: true });
  readonly #view = new DataView(this.#memory.buffer);
  readonly #registers = new BigUint64Array(this.#memory.buffer, STATE + offsetOf('general'), 16);
  readonly #variants;
  readonly #writer: RecordWriter;
  readonly #exports: InterpreterExports;
  readonly #modeBits: ModeBits;

  constructor(mnemonics: readonly string[], modeBits: ModeBits, random = (): bigint => 0n) {
    this.#modeBits = modeBits;
    this.#variants = listVariants().filter(({ instruction }) => mnemonics.includes(instruction.mnemonic));
    this.#writer = new RecordWriter(this.#memory.buffer, STATE, new VariantIndex(this.#variants));
    const module = new WebAssembly.Module(
      makeInterpreter({ minimumPages: MEMORY_PAGES, maximumPages: MEMORY_PAGES }, this.#variants),
    );
    const slow = () => {
      throw new Error('an access outside of memory');
    };
    const host = { memory: this.#memory, ...bareHost(slow), random };
    this.#exports = instantiate(module, host);
    setFlatSegments(this.#view, STATE);
    this.#view.setUint32(STATE + offsetOf('budget'), 2 ** 31 - 1, true);
    this.state.setUint32(offsetOf('tlb'), TLB, true);
    emptyTlb(new Uint8Array(this.#memory.buffer), TLB);
    setTlbEntry(this.#view, TLB, { gva: DATA_GVA, address: DATA, writable: true });
  }

  /** The vCPU's state. */
  get state(): DataView {
    return new DataView(this.#memory.buffer, STATE, CPU_STATE_SPAN_BYTES);
  }

  /** What is at DATA_GVA. */
  get data(): DataView {
    return new DataView(this.#memory.buffer, DATA, PAGE_BYTES);
  }

  run(code: readonly number[], registers: readonly bigint[], flags: readonly StatusFlag[] = []): Outcome {
    const decoded = decode(Uint8Array.from(code), this.#modeBits);
    if (typeof decoded === 'string') throw new Error(`${code} is ${decoded}`);
    this.#registers.fill(0n).set(registers);
    setStatusFlags(
      this.state,
      flags.reduce((word, flag) => word | (1 << FLAG_BIT[flag]), 0),
    );
    const end = this.#writer.write(RECORDS, decoded, 0, this.#modeBits);
    this.#writer.end(end, stopHandler(this.#variants), decoded.lengthBytes);
    const reason = this.#exports.run(STATE, RECORDS);
    return {
      registers: this.#registers.slice(),
      flags: FLAGS.filter((flag) => this.#exports[`flag${flag}`]!(STATE) !== 0),
      ...(reason === EXIT.exception && {
        exception: this.#view.getUint32(STATE + offsetOf('exceptionVector'), true),
      }),
    };
  }
}
