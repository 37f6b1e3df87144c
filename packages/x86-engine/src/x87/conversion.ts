/** Functions between what memory has and the stack: what is exact here, the rest in float80. */
import type { Expression, FunctionCode } from '../float/function-code.ts';
import { type Callee, define } from '../float/soft-function.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import type { Float80Functions } from './float80-imports.ts';
import {
  callOf,
  i32,
  i64,
  isFilled,
  operandSlot,
  perform,
  putIndefinite,
  putNumber,
  registerOf,
  signExponentAt,
  significandAt,
  slotOf,
  stackFault,
  storeAt,
} from './stack.ts';
import { WITHHELD } from './status-word.ts';
import { addPush, copy } from './transfer.ts';

/** Single and double precision: bits, those of the fraction, and how much further the exponent's bias is here. */
const FLOATS = {
  32: { type: 'i32', fractionBits: 23, maximum: 0xff, rebias: 0x3fff - 0x7f, indefinite: 0xffc0_0000 },
  64: { type: 'i64', fractionBits: 52, maximum: 0x7ff, rebias: 0x3fff - 0x3ff, indefinite: 0xfff8n << 48n },
} as const;

const INTEGER_BIT = 1n << 63n;
const EXPONENT = 0x7fff;
const SIGN = 0x8000;

export type FloatBits = keyof typeof FLOATS;
const wide = (bits: FloatBits, value: Expression): Expression => (bits === 32 ? value.extend() : value);

/** (state, slot, number) → 1, or 0 if it is not normal: nothing is done then. */
export function addWidenNormal(module: ModuleBuilder, bits: FloatBits): Callee {
  const { type, fractionBits, maximum, rebias } = FLOATS[bits];
  return define(module, ['i32', type], 'i32', (f, slot, number) => {
    const low = (value: Expression) => (bits === 32 ? value : value.wrap());
    const exponent = f.let(low(number!.shr(fractionBits)).and(maximum));
    f.when(exponent.sub(1).ltU(maximum - 1), () => {
      const sign = low(number!.shr(bits - 1)).shl(15);
      const fraction = wide(bits, number!).shl(63 - fractionBits);
      putNumber(f, slot!, exponent.add(rebias).or(sign), fraction.or(INTEGER_BIT));
      f.result(i32(1));
    });
    f.result(i32(0));
  });
}

/** (state, number) → more bits for the control word of what computes with it. */
export function addWiden(
  module: ModuleBuilder,
  float80: Float80Functions,
  bits: FloatBits,
  normal: Callee,
): Callee {
  return define(module, [FLOATS[bits].type], 'i32', (f, number) => {
    f.when(f.invoke(normal, operandSlot(f), number!), () => f.result(i32(0)));
    f.result(callOf(bits === 32 ? float80.widen32 : float80.widen64, operandSlot(f), number!));
  });
}

export function addPushFloat(
  module: ModuleBuilder,
  settle: Callee,
  float80: Float80Functions,
  bits: FloatBits,
  normal: Callee,
): Callee {
  const load = bits === 32 ? float80.fld32 : float80.fld64;
  return addPush(module, settle, [FLOATS[bits].type], (f, slot, flags, number) =>
    f.when(f.invoke(normal, slot, number!).isZero(), () =>
      flags.set(callOf(load, slot, number!, f.field('x87Control'))),
    ),
  );
}

/** (state) → flags, with ST(0) as it is stored in the operand's slot, if there is a result. */
function addNarrow(
  module: ModuleBuilder,
  putIfEmpty: (f: FunctionCode, target: Expression) => void,
  convert: (f: FunctionCode, target: Expression, slot: Expression) => void,
): Callee {
  return define(module, [], 'i32', (f) => {
    const register = f.let(registerOf(f, 0));
    f.when(isFilled(f, register), () => convert(f, operandSlot(f), f.let(slotOf(f, register))));
    const flags = f.let(stackFault(f, 'underflow'));
    f.when(flags.and(WITHHELD).isZero(), () => putIfEmpty(f, operandSlot(f)));
    f.result(flags);
  });
}

export function addNarrowFloat(module: ModuleBuilder, float80: Float80Functions, bits: FloatBits): Callee {
  const { indefinite } = FLOATS[bits];
  const store = bits === 32 ? float80.fst32 : float80.fst64;
  return addNarrow(
    module,
    (f, target) => storeAt(f, 64, target, i64(BigInt(indefinite))),
    (f, target, slot) => {
      narrowExact(f, target, slot, bits);
      f.result(callOf(store, target, slot, f.field('x87Control')));
    },
  );
}

/** Returns from the function if the number is normal in both formats and has no bits to round. */
function narrowExact(f: FunctionCode, target: Expression, slot: Expression, bits: FloatBits): void {
  const { fractionBits, maximum, rebias } = FLOATS[bits];
  const signExponent = f.let(signExponentAt(slot));
  const significand = f.let(significandAt(slot));
  const exponent = f.let(signExponent.and(EXPONENT).sub(rebias));
  const rest = INTEGER_BIT | ((1n << BigInt(63 - fractionBits)) - 1n);
  const isExact = significand
    .and(rest)
    .eq(INTEGER_BIT)
    .and(exponent.sub(1).ltU(maximum - 1));
  f.when(isExact, () => {
    const sign = signExponent
      .and(SIGN)
      .extend()
      .shl(bits - 16);
    const fraction = significand.shl(1).shr(64 - fractionBits);
    storeAt(f, 64, target, sign.or(exponent.extend().shl(fractionBits)).or(fraction));
    f.result(i32(0));
  });
}

export function addNarrowExtended(module: ModuleBuilder): Callee {
  return addNarrow(module, putIndefinite, (f, target, slot) => {
    copy(f, target, slot);
    f.result(i32(0));
  });
}

/** To integers, and to packed decimals of 80 bits. */
export function addNarrowInteger(module: ModuleBuilder, convert: number, bits: 16 | 32 | 64 | 80): Callee {
  return addNarrow(
    module,
    (f, target) => {
      if (bits === 80) putNumber(f, target, i32(0xffff), i64(0xc000n << 48n));
      else storeAt(f, 64, target, i64(1n << BigInt(bits - 1)));
    },
    (f, target, slot) => f.result(callOf(convert, target, slot, f.field('x87Control'))),
  );
}

/** (state, number of 80 bits), which float80 reads where memory's is. */
export function addPushDecimal(module: ModuleBuilder, settle: Callee, float80: Float80Functions): Callee {
  return addPush(module, settle, ['v128'], (f, slot, _, number) => {
    storeAt(f, 128, operandSlot(f), number!);
    perform(f, float80.fbld, slot, operandSlot(f));
  });
}

export function addPushExtended(module: ModuleBuilder, settle: Callee): Callee {
  return addPush(module, settle, ['v128'], (f, slot, _, number) =>
    putNumber(f, slot, number!.lane('i64x2', 1).wrap(), number!.lane('i64x2', 0)),
  );
}
