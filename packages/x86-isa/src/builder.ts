/**
 * What the meaning of an instruction is written in. An instruction's semantics calls these operations on a builder; at
 * build time the builder makes an interpreter's code of them, at run time a translator's.
 *
 * Values are bit strings of a width; operations take and give the same width unless they say otherwise, and wrap. All
 * that may fault (reads and writes of memory) must come before the first change of the machine's state, since faults
 * leave the state as it was (Intel SDM Vol. 3A §6.6 "Program or Task Restart"). The same goes for the write of an operand
 * in memory that was read before: under LOCK it starts the instruction again when another vCPU has written there meanwhile.
 */
import type { BlockBuilder } from './block-builder.ts';
import type { FloatBuilder } from './float-builder.ts';
import type { SystemOperation } from './system-operation.ts';
import type { Operand, Value, ValueBits } from './value.ts';

export type { Operand, Value, ValueBits } from './value.ts';

import type { VectorBuilder } from './vector-builder.ts';
import type { X87Builder } from './x87-builder.ts';

/** The six status flags (Intel SDM Vol. 1 §3.4.3.1 "Status Flags"). */
export type StatusFlag = 'CF' | 'PF' | 'AF' | 'ZF' | 'SF' | 'OF';

/**
 * How the six come from operands and result. 'adc' and 'sbb' take the carry as it was before; 'inc' and 'dec' leave CF
 * as it is; 'logic' clears CF, OF and AF; 'multiply' sets CF and OF when the signed product is wider than its operands.
 */
export type FlagsKind = 'add' | 'adc' | 'sub' | 'sbb' | 'inc' | 'dec' | 'logic' | 'multiply';

/** The condition codes of Jcc, SETcc and CMOVcc (Intel SDM Vol. 1 §B.1 "Condition Codes"), by their encoding. */
export type Condition = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15;

export type BinaryOperation = 'add' | 'sub' | 'mul' | 'and' | 'or' | 'xor';
export type ShiftOperation = 'shl' | 'shr' | 'sar' | 'rotl' | 'rotr';
export type Comparison = 'eq' | 'ne' | 'ltU' | 'ltS' | 'leU' | 'leS';

/** A number of twice a width. */
export interface Halves {
  readonly high: Value;
  readonly low: Value;
}

export interface Builder {
  readonly vector: VectorBuilder;
  readonly float: FloatBuilder;
  readonly x87: X87Builder;
  readonly block: BlockBuilder;
  /** The operand size of the instruction at hand. */
  readonly operandBits: 16 | 32 | 64;
  /** The address size, of encodings that say they depend on it. */
  readonly addressBits: 16 | 32 | 64;
  /** The prefix before the instruction at hand, of those that may be repeated: 'rep' is F3, REPE too. */
  readonly repeat: 'none' | 'rep' | 'repne';

  read(operand: Operand): Value;
  /** To a register of 32 bits: clears the upper half (Intel SDM Vol. 1 §3.4.1.1 "General-Purpose Registers in 64-Bit Mode"). */
  write(operand: Operand, value: Value): void;
  /** Faults as a write to memory would, and writes nothing. */
  checkWrite(operand: Operand): void;
  /** The effective address of a memory operand, of the address size; no access is made. */
  addressOf(operand: Operand): Value;
  /** The operand in memory that is so many bytes further; `offset` has 64 bits and a sign. The sum is cut to the address size. */
  displaced(operand: Operand, offset: Value): Operand;
  /**
   * Replaces 2 × 64 bits in memory by `replacement` if they are `expected`; under LOCK atomically.
   * @returns what was there, and whether it was replaced
   */
  compareExchangePair(operand: Operand, expected: Halves, replacement: Halves): Halves & { equal: Value };
  /** A general register by its number; 8 bits: AL to R15B. */
  readRegister(number: number, bits: 8 | 16 | 32 | 64): Value;
  writeRegister(number: number, value: Value): void;

  constant(bits: ValueBits, value: number | bigint): Value;
  binary(operation: BinaryOperation, a: Value, b: Value): Value;
  /** `count` may have another width, and must be less than the width of `a`. */
  shift(operation: ShiftOperation, a: Value, count: Value): Value;
  compare(comparison: Comparison, a: Value, b: Value): Value;
  not(a: Value): Value;
  zeroExtend(a: Value, bits: ValueBits): Value;
  signExtend(a: Value, bits: ValueBits): Value;
  truncate(a: Value, bits: ValueBits): Value;
  /** The product of twice the width. */
  multiplyWide(kind: 'signed' | 'unsigned', a: Value, b: Value): Halves;
  /** Divides a number of twice the width, all unsigned; `high` must be less than `divisor`. */
  divideWide(dividend: Halves, divisor: Value): { readonly quotient: Value; readonly remainder: Value };
  /** Puts the lowest bits of `a` where `mask` has ones (PDEP), or gets them from there (PEXT). */
  scatter(a: Value, mask: Value): Value;
  gather(a: Value, mask: Value): Value;
  /** CRC-32C of a checksum so far, of 32 bits, and data; without the inversions at both ends. */
  crc32c(checksum: Value, data: Value): Value;
  /** 64 bits that nobody can guess. */
  random(): Value;
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

  /**
   * Has the system's side do an operation, which may raise an exception, leave the guest or go on elsewhere: what comes
   * after it is then not done. @returns 64 bits, of those that give something
   */
  system(operation: SystemOperation, a?: Value, b?: Value): Value;
  /** The number of the register that an operand names, in 64 bits. */
  numberOf(operand: Operand): Value;
  /** The linear address of a memory operand, in 64 bits; no access is made. */
  linearAddressOf(operand: Operand): Value;
  /** XCR0, of 64 bits (Intel SDM Vol. 1 §13.3 "Enabling the XSAVE Feature Set and XSAVE-Enabled Features"). */
  enabledFeatures(): Value;

  /** Raises an exception; nothing of the instruction has happened. */
  raise(exception: 'DE' | 'UD' | 'GP' | 'NM' | 'MF' | 'XM'): void;
  /** Raises #GP(0) where an address of 64 bits is beyond the code segment's limit; nothing of the instruction has happened. */
  checkJump(target: Value): void;
  /** Ends the instruction and goes on at an address of 64 bits. */
  jump(target: Value): void;
  /** Ends this iteration and runs the instruction again, unless something else is to be done first. */
  again(): void;
  /** The address of the next instruction, of 64 bits. */
  nextRip(): Value;

  /** An offset in the stack segment, of 64 bits, and as wide as the stack's addresses are. */
  stackPointer(): Value;
  setStackPointer(offset: Value): void;
  loadStack(offset: Value, bits: 16 | 32 | 64): Value;
  storeStack(offset: Value, value: Value): void;

  /**
   * Does iterations of REP STOS or REP MOVS at once, as far as nobody can tell. @returns how many, of 64 bits, maybe none;
   * registers are as before
   */
  bulk(what: 'fill' | 'copy', bits: 8 | 16 | 32 | 64): Value;
  /** Memory that strings are in: the source in DS or the segment of the prefix, the destination in ES. */
  loadString(place: 'source' | 'destination', offset: Value, bits: 8 | 16 | 32 | 64): Value;
  storeString(offset: Value, value: Value): void;
  /** Bytes of a vector's low `count` ones to where a string's source would be, each if its bit of `chosen` is set; faults if any of them could. */
  storeBytes(offset: Value, value: Value, count: 8 | 16, chosen: Value): void;
  /** Loads and stores before it come before those after it, as other vCPUs see them. */
  fence(): void;
  /** DF, one bit (Intel SDM Vol. 1 §3.4.3.2 "DF Flag"). */
  directionFlag(): Value;
  setDirectionFlag(value: Value): void;
}
