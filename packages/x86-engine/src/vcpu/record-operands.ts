/** What records say of their instructions, for the slow ways that need to know. */
import { offsetOf } from '../cpu-state.ts';
import { NO_SEGMENT } from '../flat-segments.ts';
import type { Variant } from '../interpreter/variants.ts';
import { requiredAlignment } from '../memory/alignment-check.ts';
import { RECORD } from '../record.ts';
import type { PortBytes, StringAccess } from './port-access.ts';

const STACK_INSTRUCTIONS = new Set(['PUSH', 'POP', 'CALL', 'RET', 'LEAVE', 'ENTER', 'PUSHF', 'POPF']);
const RSP = 4;
const RBP = 5;
const SS = 2;

export class RecordOperands {
  readonly #view: DataView;
  readonly #variants: readonly Variant[];

  constructor(view: DataView, variants: readonly Variant[]) {
    this.#view = view;
    this.#variants = variants;
  }

  /** `state`: the vCPU's, whose registers the record has addresses of. */
  isOnStack(record: number, state: number): boolean {
    const base = this.#view.getUint16(record + RECORD.base, true);
    const isMemory = this.#variant(record)?.encoding.operands.some(({ source }) => source.startsWith('rm'));
    const segment = this.#segment(record, state);
    if (isMemory && (segment === NO_SEGMENT || segment === SS))
      return [RSP, RBP].some((number) => base === state + offsetOf('general') + number * 8);
    return STACK_INSTRUCTIONS.has(this.#variant(record)?.instruction.mnemonic ?? '');
  }

  readsDestination(record: number): boolean {
    return this.#variant(record)?.encoding.operands.some(({ access }) => access === 'read-write') ?? false;
  }

  /** What alignment checks ask for an access of so many bytes. */
  alignment(record: number, lengthBytes: number): number {
    const { instruction, operandBits } = this.#variant(record)!;
    return requiredAlignment(instruction.mnemonic, operandBits, lengthBytes);
  }

  /** `a` and `b` are what INS and OUTS give (x86-isa, ports.ts). */
  stringAccess(record: number, state: number, { a, b }: { a: bigint; b: bigint }): StringAccess {
    const segment = this.#segment(record, state);
    return {
      lengthBytes: Number(a & 0xffn) as PortBytes,
      addressBits: Number(a >> 8n) as StringAccess['addressBits'],
      repeats: b !== 0n,
      segment: segment === NO_SEGMENT ? 3 : segment,
    };
  }

  #segment(record: number, state: number): number {
    return (this.#view.getUint16(record + RECORD.segmentBase, true) - state - offsetOf('segmentBases')) / 8;
  }

  #variant(record: number): Variant | undefined {
    return this.#variants[this.#view.getUint32(record + RECORD.handler, true)];
  }
}
