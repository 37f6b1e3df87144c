/** Functions that say what a status flag is (status-flags.ts), for all handlers to call: state → 0 or 1. */
import type { StatusFlag } from '@vireo/x86-isa';
import { offsetOf } from '../cpu-state.ts';
import { FLAG_BIT, FLAGS_KIND, KIND_MASK, SAVED_CARRY_SHIFT, TURN_PF, TURN_SF } from '../status-flags.ts';
import { Code } from '../wasm/code.ts';
import { CONVERT, I32, I64 } from '../wasm/instructions.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';

const STATE = 0;
export type FlagFunctions = Readonly<Record<StatusFlag, number>>;

/** `multiplyHighSigned`: (a, b) → the upper 64 bits of the product. */
export function addFlagFunctions(module: ModuleBuilder, multiplyHighSigned: number): FlagFunctions {
  const isWide = module.add(productIsWide(multiplyHighSigned));
  return {
    CF: module.add(carry(isWide)),
    OF: module.add(overflow(isWide)),
    AF: module.add(adjust()),
    ZF: module.add(zero()),
    SF: module.add(sign()),
    PF: module.add(parity()),
  };
}

class FlagCode extends Code {
  constructor() {
    super({ parameters: ['i32'], results: ['i32'] });
  }

  field64(name: 'flagsResult' | 'flagsA' | 'flagsB'): this {
    return this.get(STATE).load(64, offsetOf(name));
  }

  kind(): this {
    return this.get(STATE).load(32, offsetOf('flagsKind'));
  }

  /** Returns what `value` leaves if the kind is one of these. */
  caseOf(kinds: readonly (keyof typeof FLAGS_KIND)[], value: () => void): this {
    for (const [at, kind] of kinds.entries()) {
      this.kind().i32(KIND_MASK).op(I32.and).i32(FLAGS_KIND[kind]).op(I32.eq);
      if (at > 0) this.op(I32.or);
    }
    return this.if(() => {
      value();
      this.return();
    });
  }

  /** A bit of the i64 on the stack. */
  bit64(bit: number): this {
    return this.i64(BigInt(bit)).op(I64.shrU, CONVERT.i32WrapI64).i32(1).op(I32.and);
  }

  explicit(flag: 'CF' | 'OF' | 'AF'): this {
    return this.caseOf(['explicit'], () => this.field64('flagsA').bit64(FLAG_BIT[flag]));
  }
}

/** Whether the signed product of the two operands is wider than the result, which both are as wide as. */
function productIsWide(multiplyHighSigned: number): Code {
  const code = new FlagCode();
  const product = () => code.field64('flagsA').field64('flagsB');
  product().op(I64.mul).field64('flagsResult').op(I64.ne);
  product().call(multiplyHighSigned).field64('flagsResult').i64(63n).op(I64.shrS, I64.ne);
  return code.op(I32.or);
}

function carry(isWide: number): Code {
  const code = new FlagCode();
  const compare = (first: 'flagsResult' | 'flagsA', second: 'flagsA' | 'flagsB', operation: number) => () =>
    code.field64(first).field64(second).op(operation);
  return code
    .caseOf(['sub'], compare('flagsA', 'flagsB', I64.ltU))
    .caseOf(['add'], compare('flagsResult', 'flagsA', I64.ltU))
    .caseOf(['logic'], () => code.i32(0))
    .caseOf(['inc', 'dec'], () => code.kind().i32(SAVED_CARRY_SHIFT).op(I32.shrU).i32(1).op(I32.and))
    .caseOf(['adc'], compare('flagsResult', 'flagsA', I64.leU))
    .caseOf(['sbb'], compare('flagsA', 'flagsB', I64.leU))
    .caseOf(['multiply'], () => code.get(STATE).call(isWide))
    .field64('flagsA')
    .bit64(FLAG_BIT.CF);
}

/** Overflow: operands of one sign (or, to subtract, of two), and a result of the other. */
function overflow(isWide: number): Code {
  const code = new FlagCode();
  const signs = (other: 'flagsResult' | 'flagsA') => () =>
    code
      .field64('flagsA')
      .field64(other === 'flagsA' ? 'flagsB' : 'flagsResult')
      .op(I64.xor)
      .field64(other === 'flagsA' ? 'flagsA' : 'flagsB')
      .field64('flagsResult')
      .op(I64.xor, I64.and)
      .bit64(63);
  return code
    .caseOf(['sub', 'sbb', 'dec'], signs('flagsA'))
    .caseOf(['add', 'adc', 'inc'], signs('flagsResult'))
    .caseOf(['logic'], () => code.i32(0))
    .caseOf(['multiply'], () => code.get(STATE).call(isWide))
    .field64('flagsA')
    .bit64(FLAG_BIT.OF);
}

function adjust(): Code {
  const code = new FlagCode();
  return code
    .explicit('AF')
    .caseOf(['logic'], () => code.i32(0))
    .field64('flagsA')
    .field64('flagsB')
    .op(I64.xor)
    .field64('flagsResult')
    .op(I64.xor)
    .bit64(FLAG_BIT.AF);
}

function zero(): Code {
  return new FlagCode().field64('flagsResult').op(I64.eqz);
}

function turned(code: FlagCode, turn: number): FlagCode {
  return code.kind().i32(turn).op(I32.and).i32(0).op(I32.ne, I32.xor);
}

function sign(): Code {
  return turned(new FlagCode().field64('flagsResult').bit64(63), TURN_SF);
}

/** PF: the lowest byte has an even number of ones. */
function parity(): Code {
  const code = new FlagCode();
  code.field64('flagsResult').op(CONVERT.i32WrapI64).i32(0xff).op(I32.and, I32.popcnt).i32(1);
  return turned(code.op(I32.and, I32.eqz) as FlagCode, TURN_PF);
}
