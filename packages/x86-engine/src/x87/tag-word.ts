/** The tag word of 16 bits, which is made of the abridged one and the registers (Intel SDM Vol. 1 §8.1.7 "x87 FPU Tag Word"). */
import type { Expression } from '../float/function-code.ts';
import { type Callee, define } from '../float/soft-function.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { i32, isFilled, signExponentAt, significandAt, slotOf } from './stack.ts';

const TAG = { valid: 0, zero: 1, special: 2, empty: 3 } as const;
const EXPONENT = 0x7fff;

/** (state) → 16 bits. */
export function addFullTags(module: ModuleBuilder): Callee {
  return define(module, [], 'i32', (f) => {
    const tags = f.let(i32(0));
    const register = f.let(i32(0));
    const slot = f.let(i32(0));
    f.repeat(() => {
      slot.set(slotOf(f, register));
      const tag = tagOfNumber(slot).orElse(isFilled(f, register), TAG.empty);
      tags.set(tags.or(tag.shl(register.shl(1))));
      register.set(register.add(1));
      return register.ltU(8);
    });
    f.result(tags);
  });
}

/** Special: NaNs, infinities, denormals and unsupported encodings. */
function tagOfNumber(slot: Expression): Expression {
  const exponent = signExponentAt(slot).and(EXPONENT);
  const significand = significandAt(slot);
  const isNormal = exponent
    .sub(1)
    .ltU(EXPONENT - 1)
    .and(significand.ltS(0));
  const isZero = exponent.isZero().and(significand.isZero());
  return i32(TAG.valid).orElse(isNormal, i32(TAG.zero).orElse(isZero, TAG.special));
}
