/**
 * What the meaning of x87 instructions is written in, beside builder.ts. Numbers stay where they are: on the register
 * stack, or widened from memory.
 *
 * Operations look for empty and full registers themselves, note exceptions in the status word and do what the control
 * word says about them (Intel SDM Vol. 1 §8.4 "x87 FPU Floating-Point Exception Handling", §8.5.1.1 "Stack Overflow or
 * Underflow Exception (#IS)"). Many give one bit: whether there is a result. There is none when an exception that is not
 * masked holds it back; then an instruction pops and pushes nothing. Such an exception is pending from then on, and the
 * next instruction that waits raises #MF.
 */
import type { Operand, Value } from './value.ts';

export type X87Unary = 'fabs' | 'fchs' | 'frndint' | 'fsqrt' | 'f2xm1' | 'fsin' | 'fcos';
export type X87Binary =
  | ('fadd' | 'fsub' | 'fmul' | 'fdiv')
  | ('fprem' | 'fprem1' | 'fscale' | 'fyl2x' | 'fyl2xp1' | 'fpatan');
/** One number that becomes two: the second is pushed. */
export type X87Split = 'fxtract' | 'fsincos' | 'fptan';
/** `fucom` has no exception for quiet NaNs. */
export type X87Comparison = 'fcom' | 'fucom';
/** What is in memory, with its bits: a float of 32, 64 or 80, an integer of 16, 32 or 64, a decimal of 80. */
export type X87Format = 'float' | 'integer' | 'truncated-integer' | 'decimal';

/** ST(i): by its number, or as the instruction's operand says. */
export type StackPlace = number | Operand;

declare const WIDENED: unique symbol;
/** A number from memory, of which there is one at a time. */
export interface Widened {
  readonly [WIDENED]: true;
}

/** Which condition codes an instruction defines. */
export type ConditionCodes = 'C1' | 'all';

/** Where FNSTENV and FXSAVE find the last instruction: its opcode's 11 bits in 16, its address and its operand's offset in 64. */
export interface X87Pointers {
  readonly opcode: Value;
  readonly instruction: Value;
  readonly data: Value;
}

export interface X87Builder {
  /** Raises #MF if an exception is pending (Vol. 1 §8.6 "x87 FPU Exception Synchronization"). */
  wait(): void;
  /** Makes the instruction the last one, with the offset of its operand in memory (Vol. 1 §8.1.8 "x87 FPU Instruction and Data (Operand) Pointers"). */
  remember(offset?: Value): void;

  widen(format: 'float' | 'integer', value: Value): Widened;
  /** ST(0) of itself. */
  unary(operation: X87Unary): Value;
  binary(
    operation: X87Binary,
    destination: StackPlace,
    a: StackPlace | Widened,
    b: StackPlace | Widened,
  ): Value;
  split(operation: X87Split): Value;
  /** Of ST(0) with another: what `settle` takes, of 32 bits, with C3, C2 and C0 at their places in the status word. */
  compare(operation: X87Comparison, b: StackPlace | Widened): Value;
  /** FXAM. */
  examine(): void;

  /** Copies, if a condition of one bit says so; both must be filled then. */
  move(destination: StackPlace, source: StackPlace, condition?: Value): Value;
  exchange(place: StackPlace): void;
  push(format: X87Format, value: Value): Value;
  pushCopy(place: StackPlace): Value;
  /** As FLD1 and its like number them. */
  pushConstant(index: number): Value;
  /** ST(0) as it is stored. Nothing has changed then: `settle` takes the flags once memory is written, if there is a result. */
  narrow(format: X87Format, bits: 16 | 32 | 64 | 80): { readonly value: Value; readonly flags: Value };
  /** Whether flags let a result be. */
  hasResult(flags: Value): Value;
  /** Notes exceptions and condition codes. */
  settle(flags: Value, codes: ConditionCodes): Value;
  pop(): void;
  /** Moves the top, and clears C1. */
  rotate(by: 1 | -1): void;
  free(place: StackPlace): void;

  /** 16 bits each. To set one leaves reserved bits as they must be, and lets exceptions be pending by what is set. */
  control(): Value;
  setControl(value: Value): void;
  status(): Value;
  setStatus(value: Value): void;
  /** The tag word of 16 bits, or the abridged one of 8, with a bit for each register that is filled. */
  tags(form: 'full' | 'abridged'): Value;
  setTags(form: 'full' | 'abridged', value: Value): void;
  /** One bit: whether the environment in memory is that of real-address and virtual-8086 mode. */
  usesRealFormat(): Value;
  pointers(): X87Pointers;
  setPointers(pointers: X87Pointers): void;
  /** ST(i), of 80 bits, whatever its tag says. */
  register(number: number): Value;
  /** Of 80 bits, or the lowest 80 of 128. */
  setRegister(number: number, value: Value): void;
}
