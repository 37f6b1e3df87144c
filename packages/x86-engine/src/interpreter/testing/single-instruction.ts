/** The interpreter with a few instructions' handlers only, for tests of what runs one of them without memory. */
import { decode, type ModeBits, type StatusFlag } from '@vireo/x86-isa';
import { CPU_STATE_STRIDE_BYTES, offsetOf } from '../../cpu-state.ts';
import { EXIT } from '../../exit-reason.ts';
import { FLAG_BIT, setStatusFlags } from '../../status-flags.ts';
import { bareHost } from '../../testing/bare-host.ts';
import { type InterpreterExports, makeInterpreter, stopHandler } from '../interpreter-module.ts';
import { RecordWriter } from '../record-writer.ts';
import { listVariants, VariantIndex } from '../variants.ts';

const STATE = CPU_STATE_STRIDE_BYTES;
const RECORDS = 0x8000;
const FLAGS = Object.keys(FLAG_BIT) as StatusFlag[];

export interface Outcome {
  readonly registers: BigUint64Array;
  /** Names of those that are set, in the order of FLAG_BIT. */
  readonly flags: readonly StatusFlag[];
  /** The vector of what it raised. */
  readonly exception?: number;
}

export class SingleInstruction {
  readonly #memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
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
      makeInterpreter({ minimumPages: 1, maximumPages: 1 }, this.#variants),
    );
    const slow = () => {
      throw new Error('an access to memory');
    };
    const host = { memory: this.#memory, ...bareHost(slow), random };
    this.#exports = new WebAssembly.Instance(module, { host }).exports as unknown as InterpreterExports;
  }

  run(code: readonly number[], registers: readonly bigint[], flags: readonly StatusFlag[] = []): Outcome {
    const decoded = decode(Uint8Array.from(code), this.#modeBits);
    if (typeof decoded === 'string') throw new Error(`${code} is ${decoded}`);
    this.#registers.fill(0n).set(registers);
    const state = new DataView(this.#memory.buffer, STATE, CPU_STATE_STRIDE_BYTES);
    setStatusFlags(
      state,
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
