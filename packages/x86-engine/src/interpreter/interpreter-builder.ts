/**
 * Makes an interpreter's handler of an instruction's semantics: a function (state, record) → exit reason that finds its
 * operands in the record and ends by a tail call of the next record's handler.
 */
import type { Builder, Operand, Value } from '@vireo/x86-isa';
import { offsetOf } from '../cpu-state.ts';
import { RECORD } from '../record.ts';
import { I32, I64 } from '../wasm/instructions.ts';
import { FlagBuilder, type FlagCalls } from './flag-builder.ts';
import { type Memory, OperandAccess, RECORD_LOCAL, STATE_LOCAL } from './operand-access.ts';
import { pushNextRip } from './rip.ts';
import { addressBitsOf, type OperandBits, type Variant } from './variants.ts';
import { asValue, asWasm } from './wasm-value.ts';

/** What handlers call. */
export interface Functions extends Memory, FlagCalls {}

const RSP_OFFSET = offsetOf('general') + 4 * 8;
const STACK_BASE_OFFSET = offsetOf('segmentBases') + 2 * 8;

export class InterpreterBuilder extends FlagBuilder implements Builder {
  readonly operandBits: OperandBits;
  readonly addressBits: OperandBits;
  readonly #functions: Functions;
  readonly #operands: OperandAccess;

  constructor(variant: Variant, functions: Functions) {
    super(functions);
    this.operandBits = variant.operandBits;
    this.addressBits = addressBitsOf(variant);
    this.#functions = functions;
    this.#operands = new OperandAccess(this.code, variant, functions);
  }

  get operands(): readonly Operand[] {
    return this.#operands.operands;
  }

  read(operand: Operand): Value {
    return asValue(this.#operands.read(operand));
  }

  write(operand: Operand, value: Value): void {
    this.#operands.write(operand, asWasm(value));
  }

  addressOf(operand: Operand): Value {
    return asValue(this.#operands.addressOf(operand));
  }

  readRegister(number: number, bits: 8 | 16 | 32 | 64): Value {
    return this.result(bits, () => this.code.get(STATE_LOCAL).load(bits, number * 8));
  }

  writeRegister(number: number, value: Value): void {
    this.#operands.writeRegister(() => this.code.get(STATE_LOCAL), asWasm(value), number * 8);
  }

  raise(): void {
    throw new Error('exceptions are not written yet');
  }

  jump(target: Value): void {
    this.code.get(STATE_LOCAL).get(RECORD_LOCAL);
    this.get(target).returnCall(this.#functions.goto);
  }

  nextRip(): Value {
    return this.result(64, () => pushNextRip(this.code));
  }

  stackPointer(): Value {
    return this.result(64, () => {
      this.code.get(STATE_LOCAL).load(64, RSP_OFFSET).get(STATE_LOCAL).load(64, offsetOf('stackMask'));
      this.code.op(I64.and);
    });
  }

  /** Of the register, bits beyond the stack's width stay. */
  setStackPointer(offset: Value): void {
    const { code } = this;
    const mask = () => code.get(STATE_LOCAL).load(64, offsetOf('stackMask'));
    code.get(STATE_LOCAL).get(STATE_LOCAL).load(64, RSP_OFFSET);
    mask().i64(-1n).op(I64.xor, I64.and);
    this.get(offset);
    mask().op(I64.and, I64.or).store(64, RSP_OFFSET);
  }

  loadStack(offset: Value, bits: 16 | 32 | 64): Value {
    const host = this.#translateStack('read', offset, bits);
    return this.result(bits, () => this.code.get(host).load(bits));
  }

  storeStack(offset: Value, value: Value): void {
    const bits = value.bits as 16 | 32 | 64;
    this.code.get(this.#translateStack('write', offset, bits));
    this.get(value).store(bits);
  }

  /** Goes on with the next record. */
  end(typeIndex: number, recordBytes: number): void {
    this.#operands.finish();
    const { code } = this;
    code.get(STATE_LOCAL).get(RECORD_LOCAL).i32(recordBytes).op(I32.add);
    code.get(RECORD_LOCAL).load(32, recordBytes + RECORD.handler);
    code.returnCallIndirect(typeIndex);
  }

  #translateStack(access: 'read' | 'write', offset: Value, bits: number): number {
    return this.#operands.translate(access, bits / 8, () => {
      this.get(offset).get(STATE_LOCAL).load(64, offsetOf('stackMask')).op(I64.and);
      this.code.get(STATE_LOCAL).load(64, STACK_BASE_OFFSET).op(I64.add);
    });
  }
}
