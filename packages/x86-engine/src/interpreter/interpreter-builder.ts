/**
 * Makes an interpreter's handler of an instruction's semantics: a function (state, record) → exit reason that finds its
 * operands in the record and ends by a tail call of the next record's handler.
 */
import type {
  BinaryOperation,
  Builder,
  Comparison,
  Condition,
  FlagsKind,
  Operand,
  ShiftOperation,
  StatusFlag,
  Value,
  ValueBits,
} from '@vireo/x86-isa';
import { offsetOf } from '../cpu-state.ts';
import { RECORD } from '../record.ts';
import { FLAG_BIT, FLAGS_KIND, SAVED_CARRY_SHIFT } from '../status-flags.ts';
import { Code } from '../wasm/code.ts';
import { CONVERT, I32, I64, OP } from '../wasm/instructions.ts';
import type { FlagFunctions } from './flag-functions.ts';
import { HANDLER_TYPE, type Memory, OperandAccess, RECORD_LOCAL, STATE_LOCAL } from './operand-access.ts';
import { pushNextRip } from './rip.ts';
import { addressBitsOf, type OperandBits, type Variant } from './variants.ts';
import { arithmeticOf, asValue, asWasm, maskOf, typeOf, type WasmValue } from './wasm-value.ts';

/** What handlers call. */
export interface Functions extends Memory {
  readonly flags: FlagFunctions;
}

const RSP_OFFSET = offsetOf('general') + 4 * 8;
const STACK_BASE_OFFSET = offsetOf('segmentBases') + 2 * 8;

const SHIFTS = { shl: 'shl', shr: 'shrU', sar: 'shrS', rotl: 'rotl', rotr: 'rotr' } as const;

export class InterpreterBuilder implements Builder {
  readonly code = new Code(HANDLER_TYPE);
  readonly operandBits: OperandBits;
  readonly addressBits: OperandBits;
  readonly #functions: Functions;
  readonly #operands: OperandAccess;

  constructor(variant: Variant, functions: Functions) {
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
    return this.#result(bits, () => this.code.get(STATE_LOCAL).load(bits, number * 8));
  }

  writeRegister(number: number, value: Value): void {
    this.#operands.writeRegister(() => this.code.get(STATE_LOCAL), asWasm(value), number * 8);
  }

  constant(bits: ValueBits, value: number | bigint): Value {
    return this.#result(bits, () => {
      if (bits === 64) this.code.i64(BigInt(value));
      else this.code.i32(Number(BigInt.asUintN(bits, BigInt(value))));
    });
  }

  binary(operation: BinaryOperation, a: Value, b: Value): Value {
    const wraps = operation === 'add' || operation === 'sub' || operation === 'mul';
    return this.#result(a.bits, () => {
      this.#get(a, b).op(arithmeticOf(a.bits)[operation]);
      if (wraps) this.#wrap(a.bits);
    });
  }

  shift(operation: ShiftOperation, a: Value, count: Value): Value {
    const { bits } = a;
    if (bits < 32 && (operation === 'rotl' || operation === 'rotr'))
      throw new Error(`no ${operation} of ${bits} bits: shift both ways`);
    return this.#result(bits, () => {
      if (operation === 'sar' && bits < 32) this.#pushSigned(a, 32);
      else this.#get(a);
      this.#get(this.#sameType(count, bits)).op(arithmeticOf(bits)[SHIFTS[operation]]);
      if (operation !== 'shr') this.#wrap(bits);
    });
  }

  compare(comparison: Comparison, a: Value, b: Value): Value {
    const signed = comparison === 'ltS' || comparison === 'leS';
    return this.#result(1, () => {
      for (const value of [a, b]) {
        if (signed && value.bits < 32) this.#pushSigned(value, 32);
        else this.#get(value);
      }
      this.code.op(arithmeticOf(a.bits)[comparison]);
    });
  }

  not(a: Value): Value {
    const ones = this.constant(a.bits, -1n);
    return this.binary('xor', a, ones);
  }

  zeroExtend(a: Value, bits: ValueBits): Value {
    if (bits === a.bits) return a;
    return this.#result(bits, () => {
      this.#get(a);
      if (bits === 64) this.code.op(CONVERT.i64ExtendI32U);
    });
  }

  signExtend(a: Value, bits: ValueBits): Value {
    if (bits === a.bits) return a;
    return this.#result(bits, () => {
      this.#pushSigned(a, bits === 64 ? 64 : 32);
      this.#wrap(bits);
    });
  }

  truncate(a: Value, bits: ValueBits): Value {
    if (bits === a.bits) return a;
    return this.#result(bits, () => {
      this.#get(a);
      if (a.bits === 64) this.code.op(CONVERT.i32WrapI64);
      this.#wrap(bits);
    });
  }

  count(what: 'clz' | 'ctz' | 'popcnt', a: Value): Value {
    const { bits } = a;
    return this.#result(bits, () => {
      this.#get(a);
      // A one above the width stops the count there.
      if (what === 'ctz' && bits < 32) this.code.i32(2 ** bits).op(I32.or);
      this.code.op(arithmeticOf(bits)[what]);
      if (what === 'clz' && bits < 32) this.code.i32(32 - bits).op(I32.sub);
    });
  }

  select(condition: Value, ifTrue: Value, ifFalse: Value): Value {
    return this.#result(ifTrue.bits, () => this.#get(ifTrue, ifFalse, condition).op(OP.select));
  }

  if(condition: Value, then: () => void, otherwise?: () => void): void {
    this.#get(condition);
    this.code.if(then, otherwise);
  }

  flag(flag: StatusFlag): Value {
    return this.#result(1, () => this.code.get(STATE_LOCAL).call(this.#functions.flags[flag]));
  }

  condition(condition: Condition): Value {
    const isNegated = (condition & 1) !== 0;
    const value = this.#conditionWithout(condition >> 1);
    return isNegated ? this.binary('xor', value, this.constant(1, 1)) : value;
  }

  statusFlags(kind: FlagsKind, a: Value, b: Value, result: Value): void {
    const keepsCarry = kind === 'inc' || kind === 'dec';
    const kindWord = this.#result(32, () => {
      if (kind === 'adc' || kind === 'sbb') this.#kindWithCarry(kind);
      else this.code.i32(FLAGS_KIND[kind]);
      if (keepsCarry) this.#get(this.flag('CF')).i32(SAVED_CARRY_SHIFT).op(I32.shl, I32.or);
    });
    this.#storeSigned('flagsResult', result);
    if (kind !== 'logic') {
      this.#storeSigned('flagsA', a);
      this.#storeSigned('flagsB', b);
    }
    this.#storeKind(kindWord);
  }

  resultFlags(result: Value, { CF, OF, AF }: { CF: Value; OF: Value; AF?: Value }): void {
    this.#storeExplicit({ CF, OF, ...(AF && { AF }) });
    this.#storeSigned('flagsResult', result);
    this.#storeKind(this.constant(32, FLAGS_KIND.explicit));
  }

  setFlags(flags: Partial<Record<StatusFlag, Value>>): void {
    const all = Object.fromEntries(
      (['CF', 'AF', 'OF', 'ZF', 'SF', 'PF'] as const).map((flag) => [flag, flags[flag] ?? this.flag(flag)]),
    ) as Record<StatusFlag, Value>;
    this.#storeExplicit(all);
    this.code.get(STATE_LOCAL);
    this.#get(all.ZF, all.SF, all.PF).call(this.#functions.setResultFlags);
  }

  raise(): void {
    throw new Error('exceptions are not written yet');
  }

  jump(target: Value): void {
    this.code.get(STATE_LOCAL).get(RECORD_LOCAL);
    this.#get(target).returnCall(this.#functions.goto);
  }

  nextRip(): Value {
    return this.#result(64, () => pushNextRip(this.code));
  }

  stackPointer(): Value {
    return this.#result(64, () => {
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
    this.#get(offset);
    mask().op(I64.and, I64.or).store(64, RSP_OFFSET);
  }

  loadStack(offset: Value, bits: 16 | 32 | 64): Value {
    const host = this.#translateStack('read', offset, bits);
    return this.#result(bits, () => this.code.get(host).load(bits));
  }

  storeStack(offset: Value, value: Value): void {
    const bits = value.bits as 16 | 32 | 64;
    this.code.get(this.#translateStack('write', offset, bits));
    this.#get(value).store(bits);
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
      this.#get(offset).get(STATE_LOCAL).load(64, offsetOf('stackMask')).op(I64.and);
      this.code.get(STATE_LOCAL).load(64, STACK_BASE_OFFSET).op(I64.add);
    });
  }

  /** What the code of `make` leaves on the stack, in a local variable. */
  #result(bits: ValueBits, make: () => void): Value {
    make();
    const local = this.code.local(typeOf(bits));
    this.code.set(local);
    return asValue({ bits, local } satisfies WasmValue);
  }

  #get(...values: readonly Value[]): Code {
    for (const value of values) this.code.get(asWasm(value).local);
    return this.code;
  }

  #wrap(bits: ValueBits): void {
    if (bits < 32) this.code.i32(maskOf(bits)).op(I32.and);
  }

  /** Leaves a value on the stack, sign-extended. */
  #pushSigned(value: Value, to: 32 | 64): void {
    this.#get(value);
    if (value.bits === 8) this.code.op(CONVERT.i32Extend8S);
    if (value.bits === 16) this.code.op(CONVERT.i32Extend16S);
    if (to === 64 && value.bits !== 64) this.code.op(CONVERT.i64ExtendI32S);
  }

  #sameType(count: Value, bits: ValueBits): Value {
    if (typeOf(count.bits) === typeOf(bits)) return count;
    return bits === 64 ? this.zeroExtend(count, 64) : this.truncate(count, 32);
  }

  #conditionWithout(pair: number): Value {
    const or = (a: Value, b: Value) => this.binary('or', a, b);
    const signDiffers = () => this.compare('ne', this.flag('SF'), this.flag('OF'));
    switch (pair) {
      case 0:
        return this.flag('OF');
      case 1:
        return this.flag('CF');
      case 2:
        return this.flag('ZF');
      case 3:
        return or(this.flag('CF'), this.flag('ZF'));
      case 4:
        return this.flag('SF');
      case 5:
        return this.flag('PF');
      case 6:
        return signDiffers();
      default:
        return or(signDiffers(), this.flag('ZF'));
    }
  }

  /** Without a carry in, the flags are those of 'add' or 'sub'. */
  #kindWithCarry(kind: 'adc' | 'sbb'): void {
    this.code.i32(FLAGS_KIND[kind]).i32(FLAGS_KIND[kind === 'adc' ? 'add' : 'sub']);
    this.#get(this.flag('CF')).op(OP.select);
  }

  #storeSigned(name: 'flagsResult' | 'flagsA' | 'flagsB', value: Value): void {
    this.code.get(STATE_LOCAL);
    this.#pushSigned(value, 64);
    this.code.store(64, offsetOf(name));
  }

  #storeExplicit(flags: Partial<Record<'CF' | 'AF' | 'OF', Value>>): void {
    const word = this.#result(32, () => {
      this.code.i32(0);
      for (const flag of ['CF', 'AF', 'OF'] as const)
        if (flags[flag]) this.#get(flags[flag]).i32(FLAG_BIT[flag]).op(I32.shl, I32.or);
    });
    this.code.get(STATE_LOCAL);
    this.#get(word).op(CONVERT.i64ExtendI32U).store(64, offsetOf('flagsA'));
  }

  #storeKind(kind: Value): void {
    this.code.get(STATE_LOCAL);
    this.#get(kind).store(32, offsetOf('flagsKind'));
  }
}
