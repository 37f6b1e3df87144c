/**
 * The register stack, for functions written as expressions (Intel SDM Vol. 1 §8.1.2 "x87 FPU Data Registers"). A place
 * is i of ST(i), a register's number says which of R0 to R7 that is.
 */
import { MMX_STRIDE_BYTES, offsetOf } from '../cpu-state.ts';
import { Expression, type FunctionCode, type Term } from '../float/function-code.ts';
import type { ValueType } from '../wasm/code.ts';
import { STATUS, TOP_SHIFT, WITHHELD_SHIFT } from './status-word.ts';

/** In place of a place: the number that came from memory. */
export const OPERAND_PLACE = 8;

const SLOT_SHIFT = Math.log2(MMX_STRIDE_BYTES);
const SIGN_EXPONENT = 8;
const INDEFINITE = { signExponent: 0xffff, significand: 0xc000_0000_0000_0000n } as const;

export const i32 = (value: number): Expression => Expression.constant('i32', value);
export const i64 = (value: bigint): Expression => Expression.constant('i64', value);

export function loadAt(type: ValueType, bits: 8 | 16 | 32 | 64, address: Expression, offset = 0): Expression {
  return new Expression(type, (code) => {
    address.emit(code);
    code.load(bits, offset);
  });
}

export function storeAt(
  f: FunctionCode,
  bits: 16 | 32 | 64 | 128,
  address: Expression,
  value: Expression,
  offset = 0,
): void {
  address.emit(f);
  value.emit(f);
  f.store(bits, offset);
}

/** What a function without the state gives. */
export function callOf(index: number, ...values: readonly Expression[]): Expression {
  return new Expression('i32', (code) => {
    for (const value of values) value.emit(code);
    code.call(index);
  });
}

export const significandAt = (slot: Expression): Expression => loadAt('i64', 64, slot);
export const signExponentAt = (slot: Expression): Expression => loadAt('i32', 16, slot, SIGN_EXPONENT);

export function putNumber(
  f: FunctionCode,
  slot: Expression,
  signExponent: Expression,
  significand: Expression,
): void {
  storeAt(f, 64, slot, significand);
  storeAt(f, 16, slot, signExponent, SIGN_EXPONENT);
}

export function putIndefinite(f: FunctionCode, slot: Expression): void {
  putNumber(f, slot, i32(INDEFINITE.signExponent), i64(INDEFINITE.significand));
}

export const topOf = (f: FunctionCode): Expression => f.field('x87Status').shr(TOP_SHIFT).and(7);

export const registerOf = (f: FunctionCode, place: Term): Expression => topOf(f).add(place).and(7);

export const slotOf = (f: FunctionCode, register: Expression): Expression =>
  f.state.add(register.shl(SLOT_SHIFT)).add(offsetOf('x87'));

export const operandSlot = (f: FunctionCode): Expression => f.state.add(offsetOf('x87Operand'));

/** One bit. */
export const isFilled = (f: FunctionCode, register: Expression): Expression =>
  f.field('x87Tags').shr(register).and(1);

export function setFilled(f: FunctionCode, register: Expression): void {
  f.setField('x87Tags', f.field('x87Tags').or(i32(1).shl(register)));
}

export function setEmpty(f: FunctionCode, register: Expression): void {
  f.setField('x87Tags', f.field('x87Tags').and(i32(1).shl(register).xor(-1)));
}

export function setTop(f: FunctionCode, register: Expression): void {
  f.setField('x87Status', f.field('x87Status').and(~STATUS.TOP).or(register.shl(TOP_SHIFT)));
}

/** Flags of #IS. C1 tells an overflow from an underflow (Intel SDM Vol. 1 §8.5.1.1 "Stack Overflow or Underflow Exception (#IS)"). */
export function stackFault(f: FunctionCode, kind: 'overflow' | 'underflow'): Expression {
  const flags = STATUS.IE | STATUS.SF | (kind === 'overflow' ? STATUS.C1 : 0);
  const withheld = f.field('x87Control').and(STATUS.IE).xor(STATUS.IE).shl(WITHHELD_SHIFT);
  return withheld.or(flags);
}

/** A call of a function that gives nothing. */
export function perform(f: FunctionCode, index: number, ...values: readonly Expression[]): void {
  for (const value of values) value.emit(f);
  f.call(index);
}
