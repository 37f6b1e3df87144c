/**
 * Makes an interpreter's handler of an instruction's semantics: a function (state, record) → exit reason that finds its
 * operands in the record and ends by a tail call of the next record's handler.
 */
import {
  type Builder,
  type Halves,
  type Operand,
  SYSTEM_OPERATIONS,
  type SystemOperation,
  type Value,
} from '@vireo/x86-isa';
import { offsetOf } from '../cpu-state.ts';
import { EXIT } from '../exit-reason.ts';
import type { FloatFunctions } from '../float/float-functions.ts';
import { RECORD } from '../record.ts';
import { CONVERT, I32, I64, OP } from '../wasm/instructions.ts';
import type { X87Functions } from '../x87/x87-functions.ts';
import type { BlockFunctions } from './block-functions.ts';
import { BlockOperations } from './block-operations.ts';
import type { BulkFunctions } from './bulk-functions.ts';
import { FlagBuilder, type FlagCalls } from './flag-builder.ts';
import { FloatOperations } from './float-operations.ts';
import { RECORD_LOCAL, STATE_LOCAL } from './handler-type.ts';
import { type Memory, OperandAccess } from './operand-access.ts';
import { QUICK_OPERATIONS } from './quick-operations.ts';
import { pushRaise, type RaisedException } from './raise.ts';
import { pushNextRip, pushRip } from './rip.ts';
import { addressBitsOf, type OperandBits, type Variant } from './variants.ts';
import type { VectorFunctions } from './vector-functions.ts';
import { VectorOperations } from './vector-operations.ts';
import { asValue, asWasm } from './wasm-value.ts';
import { X87Operations } from './x87-operations.ts';

/** What handlers call. */
export interface Functions extends Memory, FlagCalls {
  readonly vector: VectorFunctions;
  readonly float: FloatFunctions;
  /** state → all six, at their places in RFLAGS. */
  readonly statusFlags: number;
  /** (state, record, operation and operand size, a, b) → 64 bits: the host's system operations. */
  readonly system: number;
  readonly bulk: BulkFunctions;
  readonly x87: X87Functions;
  readonly block: BlockFunctions;
  /** The type of handlers, as the module numbers it. */
  readonly handlerType: number;
}

/** Where a system call's word has the operand size, above the operation's number. */
export const OPERAND_BITS_SHIFT = 16;

/** RFLAGS.DF. */
const DIRECTION_FLAG_BIT = 10;
const RSP_OFFSET = offsetOf('general') + 4 * 8;
const STACK_BASE_OFFSET = offsetOf('segmentBases') + 2 * 8;

export class InterpreterBuilder extends FlagBuilder implements Builder {
  readonly operandBits: OperandBits;
  readonly addressBits: OperandBits;
  readonly repeat: Variant['repeat'];
  readonly vector: VectorOperations;
  readonly float: FloatOperations;
  readonly x87: X87Operations;
  readonly block: BlockOperations;
  readonly #functions: Functions;
  readonly #operands: OperandAccess;

  constructor(variant: Variant, functions: Functions) {
    super(functions);
    this.operandBits = variant.operandBits;
    this.addressBits = addressBitsOf(variant);
    this.repeat = variant.repeat;
    this.vector = new VectorOperations(this.code, functions.vector);
    this.float = new FloatOperations(this.code, functions.float);
    this.x87 = new X87Operations(this.code, functions.x87);
    this.#functions = functions;
    this.#operands = new OperandAccess(this.code, variant, functions);
    this.block = new BlockOperations(this.code, this.#operands, functions.block);
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

  checkWrite(operand: Operand): void {
    this.#operands.hostAddress(operand);
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

  system(operation: SystemOperation, a?: Value, b?: Value): Value {
    const { code } = this;
    const quick = QUICK_OPERATIONS[operation];
    if (quick === undefined) return this.#systemOfHost(operation, a, b);
    const result = code.local('i64');
    const operand = a && asWasm(a).local;
    quick.may(code, operand);
    code.if(
      () => {
        quick.make(code, operand, this.#functions.statusFlags);
        code.set(result);
      },
      () => {
        this.get(this.#systemOfHost(operation, a, b));
        code.set(result);
      },
    );
    return asValue({ bits: 64, local: result });
  }

  #systemOfHost(operation: SystemOperation, a?: Value, b?: Value): Value {
    const { code } = this;
    const call = SYSTEM_OPERATIONS.indexOf(operation) | (this.operandBits << OPERAND_BITS_SHIFT);
    code.get(STATE_LOCAL).get(RECORD_LOCAL).i32(call);
    for (const argument of [a, b]) {
      if (argument) this.get(argument);
      else code.i64(0n);
    }
    const result = this.result(64, () => code.call(this.#functions.system));
    code.get(STATE_LOCAL).load(32, offsetOf('leave'));
    code.if(() => code.i32(EXIT.system).return());
    return result;
  }

  numberOf(operand: Operand): Value {
    return asValue(this.#operands.numberOf(operand));
  }

  linearAddressOf(operand: Operand): Value {
    return asValue(this.#operands.linearAddressOf(operand));
  }

  enabledFeatures(): Value {
    return this.result(64, () => this.code.get(STATE_LOCAL).load(64, offsetOf('xcr0')));
  }

  raise(exception: RaisedException): void {
    pushRaise(this.code, exception);
  }

  checkJump(target: Value): void {
    const { code } = this;
    // In 64-bit mode, where near jumps have 64 bits always, there is no limit.
    if (this.operandBits === 64) return;
    code.get(STATE_LOCAL).load(64, offsetOf('codeLimit'));
    this.get(target).op(I64.ltU);
    code.if(() => pushRaise(code, 'GP'));
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

  again(): void {
    const { code } = this;
    // An iteration counts as a jump: timers are to come in the middle of long strings, too.
    const budget = code.local('i32');
    code.get(STATE_LOCAL).load(32, offsetOf('budget')).i32(1).op(I32.sub).set(budget);
    code.get(STATE_LOCAL).get(budget).store(32, offsetOf('budget'));
    code.get(budget).i32(0).op(I32.ltS).get(STATE_LOCAL).load(32, offsetOf('pending')).op(I32.or);
    code.if(() => {
      code.get(STATE_LOCAL);
      pushRip(code);
      code.store(64, offsetOf('rip')).i32(EXIT.jump).return();
    });
    code.get(STATE_LOCAL).get(RECORD_LOCAL).get(RECORD_LOCAL).load(32, RECORD.handler);
    code.returnCallIndirect(this.#functions.handlerType);
  }

  bulk(what: 'fill' | 'copy', bits: 8 | 16 | 32 | 64): Value {
    return this.result(64, () => {
      this.code
        .get(STATE_LOCAL)
        .get(RECORD_LOCAL)
        .i32(bits / 8)
        .call(this.#functions.bulk[what]);
    });
  }

  loadString(place: 'source' | 'destination', offset: Value, bits: 8 | 16 | 32 | 64): Value {
    const host = this.#translateString('read', place, offset, bits);
    return this.result(bits, () => this.code.get(host).load(bits));
  }

  storeString(offset: Value, value: Value): void {
    const bits = value.bits as 8 | 16 | 32 | 64;
    this.code.get(this.#translateString('write', 'destination', offset, bits));
    this.get(value).store(bits);
  }

  storeBytes(offset: Value, value: Value, count: 8 | 16, chosen: Value): void {
    const host = this.#translateString('write', 'source', offset, count * 8);
    for (let place = 0; place < count; place++) {
      this.get(chosen)
        .i32(1 << place)
        .op(I32.and);
      this.code.if(() => {
        this.code.get(host);
        this.get(this.vector.lane('i8x16', value, place)).store(8, place);
      });
    }
  }

  fence(): void {
    this.code.atomicFence();
  }

  directionFlag(): Value {
    return this.result(1, () => {
      this.code.get(STATE_LOCAL).load(64, offsetOf('otherFlags')).i64(BigInt(DIRECTION_FLAG_BIT));
      this.code.op(I64.shrU, CONVERT.i32WrapI64).i32(1).op(I32.and);
    });
  }

  #translateString(
    access: 'read' | 'write',
    place: 'source' | 'destination',
    offset: Value,
    bits: number,
  ): number {
    const wide = asWasm(this.zeroExtend(offset, 64)).local;
    return this.#operands.translate(access, bits / 8, wide, () => {
      if (place === 'source') this.code.get(RECORD_LOCAL).load(16, RECORD.segmentBase);
      else this.code.get(STATE_LOCAL).i32(offsetOf('segmentBases')).op(I32.add);
    });
  }

  setDirectionFlag(value: Value): void {
    const { code } = this;
    const bit = BigInt(1 << DIRECTION_FLAG_BIT);
    code.get(STATE_LOCAL).get(STATE_LOCAL).load(64, offsetOf('otherFlags')).i64(~bit).op(I64.and);
    code.i64(bit).i64(0n);
    this.get(value).op(OP.select, I64.or).store(64, offsetOf('otherFlags'));
  }

  displaced(operand: Operand, offset: Value): Operand {
    return this.#operands.displaced(operand, asWasm(offset));
  }

  compareExchangePair(operand: Operand, expected: Halves, replacement: Halves): Halves & { equal: Value } {
    const { compareExchangePair, lockedCompareExchangePair } = this.#functions.locked;
    this.code.get(this.#operands.hostAddress(operand));
    this.get(expected.low, expected.high, replacement.low, replacement.high);
    this.code.call(this.#operands.isLocked ? lockedCompareExchangePair : compareExchangePair);
    const [low, high] = [this.code.local('i64'), this.code.local('i64')];
    this.code.set(high).set(low);
    const found = { low: asValue({ bits: 64, local: low }), high: asValue({ bits: 64, local: high }) };
    const sameLow = this.compare('eq', found.low, expected.low);
    return { ...found, equal: this.binary('and', sameLow, this.compare('eq', found.high, expected.high)) };
  }

  /** Makes the instruction's code, which comes from its semantics. */
  define(make: () => void): void {
    this.#operands.define(make);
  }

  /** Goes on with the next record. */
  end(typeIndex: number, recordBytes: number): void {
    const { code } = this;
    code.get(STATE_LOCAL).get(RECORD_LOCAL).i32(recordBytes).op(I32.add);
    code.get(RECORD_LOCAL).load(32, recordBytes + RECORD.handler);
    code.returnCallIndirect(typeIndex);
  }

  /** In 64-bit mode the stack segment has no base and no limit. */
  #translateStack(access: 'read' | 'write', offset: Value, bits: number): number {
    const { code } = this;
    const { translateRead, translateWrite, segmentedRead, segmentedWrite } = this.#functions;
    const host = code.local('i32');
    code.get(STATE_LOCAL).load(64, offsetOf('stackMask')).i64(-1n).op(I64.eq);
    code.if(
      () => {
        code.get(STATE_LOCAL).get(RECORD_LOCAL);
        this.get(offset).i32(bits / 8);
        code.call(access === 'read' ? translateRead : translateWrite).set(host);
      },
      () => {
        code.get(STATE_LOCAL).get(RECORD_LOCAL).get(STATE_LOCAL).i32(STACK_BASE_OFFSET).op(I32.add);
        this.get(offset)
          .get(STATE_LOCAL)
          .load(64, offsetOf('stackMask'))
          .op(I64.and)
          .i32(bits / 8);
        code.call(access === 'read' ? segmentedRead : segmentedWrite).set(host);
      },
    );
    code.get(host);
    return this.#operands.hostOrFault();
  }
}
