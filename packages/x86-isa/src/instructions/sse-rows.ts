/** What the families of vector instructions share: encodings with mandatory prefixes, and operations on whole registers. */
import type { Builder, Operand, Value } from '../builder.ts';
import { type Encoding, enc, type Feature, type Instruction, instruction } from '../instruction.ts';
import { r, rw, w } from '../operand.ts';

/** From two registers a third: what the first operand becomes. */
export type VectorFunction = (e: Builder, a: Value, b: Value) => Value;

/** A row of a family: mnemonic, opcode without its prefix, what it computes. */
export type Row = readonly [mnemonic: string, opcode: string, compute: VectorFunction];

/** Both operands' low halves in one vector, the first one's below. */
export function joinLow({ vector }: Builder, a: Value, b: Value): Value {
  return vector.shuffle(a, b, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
}

/** `PADDB xmm1, xmm2/m128`. */
export function xmmRow([mnemonic, opcode, compute]: Row, feature: Feature, prefix = '66'): Instruction {
  return instruction(mnemonic, {
    encodings: [enc('RM', `${prefix} ${opcode} /r`, rw('x'), r('xm128'))],
    feature,
    semantics(e, destination, source) {
      const a = e.read(destination!);
      const b = e.read(source!);
      e.write(destination!, compute(e, a, b));
    },
  });
}

/** The same with an immediate. */
export type ImmediateFunction = (e: Builder, a: Value, b: Value, immediate: Value) => Value;

export function xmmImmediateRow(
  mnemonic: string,
  notation: string,
  feature: Feature,
  compute: ImmediateFunction,
): Instruction {
  return instruction(mnemonic, {
    encodings: [enc('RMI', `${notation} /r ib`, rw('x'), r('xm128'), r('imm8'))],
    feature,
    semantics(e, destination, source, immediate) {
      const a = e.read(destination!);
      const b = e.read(source!);
      e.write(destination!, compute(e, a, b, e.read(immediate!)));
    },
  });
}

/** A move, of whatever its operands are. */
export function move(mnemonic: string, feature: Feature, ...encodings: Encoding[]): Instruction {
  return instruction(mnemonic, {
    encodings,
    feature,
    semantics: (e, destination, source) => e.write(destination!, e.read(source!)),
  });
}

/** From another operand alone: `PABSB xmm1, xmm2/m128`. */
export function xmmUnaryRow(
  mnemonic: string,
  notation: string,
  feature: Feature,
  compute: (e: Builder, a: Value) => Value,
  source: 'xm128' | 'xm64' | 'xm32' | 'xm16' = 'xm128',
): Instruction {
  return instruction(mnemonic, {
    encodings: [enc('RM', `${notation} /r`, w('x'), r(source))],
    feature,
    semantics(e, destination, operand) {
      e.write(destination!, compute(e, wholeOf(e, operand!)));
    },
  });
}

/** An operand as a vector: zeros above it. */
export function wholeOf(e: Builder, operand: Operand): Value {
  const value = e.read(operand);
  if (value.bits === 128) return value;
  return e.vector.zeroExtend(value.bits < 32 ? e.zeroExtend(value, 32) : value);
}

/** The value that all bytes, words or doublewords of a vector have. */
export function repeated(bits: number, value: number | bigint): bigint {
  const lane = BigInt.asUintN(bits, BigInt(value));
  let vector = 0n;
  for (let at = 0; at < 128; at += bits) vector |= lane << BigInt(at);
  return vector;
}

/** A vector of these lanes, the lowest first. */
export function lanesOf(bits: number, values: readonly number[]): bigint {
  return values.reduceRight(
    (vector, value) => (vector << BigInt(bits)) | BigInt.asUintN(bits, BigInt(value)),
    0n,
  );
}
