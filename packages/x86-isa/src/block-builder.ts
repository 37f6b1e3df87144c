/**
 * Memory of more bytes than a value has, such as FXSAVE's area, for builder.ts: a buffer that semantics fill and store,
 * or load and take apart. Loads fault before anything has changed. A store may fault when a part of it is done: the
 * instruction starts again then.
 */
import type { Operand, Value, ValueBits } from './value.ts';

export interface BlockBuilder {
  /** Raises #GP if the operand's linear address is not a multiple. */
  align(operand: Operand, lengthBytes: number): void;
  /** From memory, so far behind the operand's beginning, to the same place of the buffer. */
  load(operand: Operand, place: number, lengthBytes: number): void;
  store(operand: Operand, place: number, lengthBytes: number): void;
  get(place: number, bits: ValueBits): Value;
  /** Of 80 bits: with six bytes of zeros after it. */
  put(place: number, value: Value): void;
}
