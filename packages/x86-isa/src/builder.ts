/**
 * What the meaning of an instruction is written in. An instruction's semantics calls these operations on a builder; at
 * build time the builder makes an interpreter's code of them, at run time a translator's.
 *
 * Values are bit strings of a width; operations take and give the same width unless they say otherwise, and wrap. All
 * that may fault (reads and writes of memory) must come before the first change of the machine's state, since faults
 * leave the state as it was (Intel SDM Vol. 3A §6.6 "Program or Task Restart").
 */
import type { Bits, Source } from './operand.ts';

declare const VALUE: unique symbol;
/** A bit string that exists when the instruction runs. */
export interface Value {
  readonly [VALUE]: true;
  readonly bits: ValueBits;
}
/** 1: a truth value. */
export type ValueBits = 1 | Bits;

declare const OPERAND: unique symbol;
/** An operand of the instruction at hand. */
export interface Operand {
  readonly [OPERAND]: true;
  readonly bits: Bits;
  readonly source: Source;
  readonly isMemory: boolean;
}

/** The six status flags (Intel SDM Vol. 1 §3.4.3.1 "Status Flags"). */
export type StatusFlag = 'CF' | 'PF' | 'AF' | 'ZF' | 'SF' | 'OF';

/**
 * How the six come from operands and result. 'adc' and 'sbb' take the carry as it was before; 'inc' and 'dec' leave CF
 * as it is; 'logic' clears CF, OF and AF.
 */
export type FlagsKind = 'add' | 'adc' | 'sub' | 'sbb' | 'inc' | 'dec' | 'logic';

/** The condition codes of Jcc, SETcc and CMOVcc (Intel SDM Vol. 1 §B.1 "Condition Codes"), by their encoding. */
export type Condition = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15;

export type BinaryOperation = 'add' | 'sub' | 'mul' | 'and' | 'or' | 'xor';
export type ShiftOperation = 'shl' | 'shr' | 'sar' | 'rotl' | 'rotr';
export type Comparison = 'eq' | 'ne' | 'ltU' | 'ltS' | 'leU' | 'leS';

export interface Builder {
  /** The operand size of the instruction at hand. */
  readonly operandBits: 16 | 32 | 64;
  /** The address size, of encodings that say they depend on it. */
  readonly addressBits: 16 | 32 | 64;

  read(operand: Operand): Value;
  /** To a register of 32 bits: clears the upper half (Intel SDM Vol. 1 §3.4.1.1 "General-Purpose Registers in 64-Bit Mode"). */
  write(operand: Operand, value: Value): void;
  /** The effective address of a memory operand, of the address size; no access is made. */
  addressOf(operand: Operand): Value;
  /** A general register by its number; 8 bits: AL to R15B. */
  readRegister(number: number, bits: 8 | 16 | 32 | 64): Value;
  writeRegister(number: number, value: Value): void;

  constant(bits: ValueBits, value: number | bigint): Value;
  binary(operation: BinaryOperation, a: Value, b: Value): Value;
  /** `count` has any width and must be less than the width of `a`. */
  shift(operation: ShiftOperation, a: Value, count: Value): Value;
  compare(comparison: Comparison, a: Value, b: Value): Value;
  not(a: Value): Value;
  zeroExtend(a: Value, bits: ValueBits): Value;
  signExtend(a: Value, bits: ValueBits): Value;
  truncate(a: Value, bits: ValueBits): Value;
  /** Leading and trailing zeros, and ones; of 0, the width. */
  count(what: 'clz' | 'ctz' | 'popcnt', a: Value): Value;
  /** `condition` has one bit. */
  select(condition: Value, ifTrue: Value, ifFalse: Value): Value;
  /** Either branch may change state; neither gives a value. */
  if(condition: Value, then: () => void, otherwise?: () => void): void;

  flag(flag: StatusFlag): Value;
  condition(condition: Condition): Value;
  /** Sets all six as `kind` has them. */
  statusFlags(kind: FlagsKind, a: Value, b: Value, result: Value): void;
  /** Sets ZF, SF and PF from a result, and the others from values of one bit (AF: cleared when not given). */
  resultFlags(result: Value, others: { CF: Value; OF: Value; AF?: Value }): void;
  /** Sets these and leaves the others. */
  setFlags(flags: Partial<Record<StatusFlag, Value>>): void;

  /** Raises an exception; nothing of the instruction has happened. */
  raise(exception: 'DE' | 'UD' | 'GP' | 'NM'): void;
  /** Ends the instruction and goes on at an address of 64 bits. */
  jump(target: Value): void;
  /** The address of the next instruction, of 64 bits. */
  nextRip(): Value;

  /** An offset in the stack segment, of 64 bits, and as wide as the stack's addresses are. */
  stackPointer(): Value;
  setStackPointer(offset: Value): void;
  loadStack(offset: Value, bits: 16 | 32 | 64): Value;
  storeStack(offset: Value, value: Value): void;
}
