/**
 * Shifts and rotates (Intel SDM Vol. 1 §7.3.6 "Shift and Rotate Instructions").
 *
 * Where the manual calls flags undefined, they are here what AMD's processors make of them: OF as if the last of several
 * steps had been the only one, AF set.
 */
import type { Builder, Operand, Value } from '../builder.ts';
import { type Encoding, enc, type Instruction, instruction } from '../instruction.ts';
import { r, rw } from '../operand.ts';

/** By 1, OF is defined. */
const ALWAYS = { undefinedFlags: ['AF'] } as const;
const OF_DEFINED = { undefinedFlags: [] } as const;

function shiftEncodings(digit: number, byOne: typeof ALWAYS | typeof OF_DEFINED): Encoding[] {
  return [
    enc('MI', `C0 /${digit} ib`, rw('rm8'), r('imm8')),
    enc('MI', `C1 /${digit} ib`, rw('rmv'), r('imm8')),
    enc('M1', `D0 /${digit}`, rw('rm8'), r('one'), byOne),
    enc('M1', `D1 /${digit}`, rw('rmv'), r('one'), byOne),
    enc('MC', `D2 /${digit}`, rw('rm8'), r('cl')),
    enc('MC', `D3 /${digit}`, rw('rmv'), r('cl')),
  ];
}

/** A count of 8 bits: the five lowest, of operands of 64 bits the six lowest. */
function masked(e: Builder, count: Operand, bits: number): Value {
  return e.binary('and', e.read(count), e.constant(8, bits === 64 ? 63 : 31));
}

const isNotZero = (e: Builder, value: Value) => e.compare('ne', value, e.constant(value.bits, 0));

/** One bit. */
function bit(e: Builder, value: Value, number: number): Value {
  return e.truncate(e.shift('shr', value, e.constant(8, number)), 1);
}

/** The highest bit of an operand of these bits; `value` may be wider. */
const top = (e: Builder, value: Value, bits: number) => bit(e, value, bits - 1);
const topTwoDiffer = (e: Builder, value: Value, bits: number) =>
  e.compare('ne', bit(e, value, bits - 1), bit(e, value, bits - 2));

/** `last` is the operand shifted one time less: it has the bit that CF gets. */
interface Kind {
  readonly operation: 'shl' | 'shr' | 'sar';
  carry(e: Builder, last: Value, bits: number): Value;
  overflow(e: Builder, result: Value, carry: Value, bits: number): Value;
}

const LEFT: Kind = {
  operation: 'shl',
  carry: top,
  overflow: (e, result, carry, bits) => e.compare('ne', top(e, result, bits), carry),
};
const RIGHT: Kind = {
  operation: 'shr',
  carry: (e, last) => bit(e, last, 0),
  overflow: (e, result, _, bits) => topTwoDiffer(e, result, bits),
};
const ARITHMETIC_RIGHT: Kind = { ...RIGHT, operation: 'sar' };

/** Counts up to 31 are more than 8 and 16 bits have: those are shifted as 32. */
function widened(e: Builder, value: Value, operation: Kind['operation']): Value {
  if (value.bits >= 32) return value;
  return operation === 'sar' ? e.signExtend(value, 32) : e.zeroExtend(value, 32);
}

const shift =
  ({ operation, carry, overflow }: Kind) =>
  (e: Builder, destination?: Operand, source?: Operand): void => {
    const { bits } = destination!;
    const value = e.read(destination!);
    const count = masked(e, source!, bits);
    const wide = widened(e, value, operation);
    const result = e.truncate(e.shift(operation, wide, count), bits);
    e.write(destination!, result);
    e.if(isNotZero(e, count), () => {
      const last = e.shift(operation, wide, e.binary('sub', count, e.constant(8, 1)));
      const CF = carry(e, last, bits);
      e.resultFlags(result, { CF, OF: overflow(e, result, CF, bits), AF: e.constant(1, 1) });
    });
  };

/** Intel SDM Vol. 2B "SAL/SAR/SHL/SHR—Shift". /6 is an alias that processors decode and the manual leaves out. */
export const SHL = instruction('SHL', {
  encodings: [...shiftEncodings(4, ALWAYS), ...shiftEncodings(6, ALWAYS)],
  undefinedFlags: ['AF', 'OF', 'CF'], // CF when all bits and more are shifted out
  semantics: shift(LEFT),
});
export const SHR = instruction('SHR', {
  encodings: shiftEncodings(5, ALWAYS),
  undefinedFlags: ['AF', 'OF', 'CF'],
  semantics: shift(RIGHT),
});
export const SAR = instruction('SAR', {
  encodings: shiftEncodings(7, ALWAYS),
  undefinedFlags: ['AF', 'OF'],
  semantics: shift(ARITHMETIC_RIGHT),
});

/** Rotates of 8 and 16 bits are those of 32 bits that repeat them. */
function rotated(e: Builder, operation: 'rotl' | 'rotr', value: Value, count: Value): Value {
  const { bits } = value;
  if (bits >= 32) return e.shift(operation, value, count);
  const repeated = e.binary('mul', e.zeroExtend(value, 32), e.constant(32, bits === 8 ? 0x1010101 : 0x10001));
  return e.truncate(e.shift(operation, repeated, count), bits);
}

type Rotate = (
  e: Builder,
  value: Value,
  count: Value,
) => { result: Value; CF: () => Value; OF: (CF: Value) => Value };

const rotate =
  (make: Rotate) =>
  (e: Builder, destination?: Operand, source?: Operand): void => {
    const value = e.read(destination!);
    const count = masked(e, source!, value.bits);
    const made = make(e, value, count);
    e.write(destination!, made.result);
    e.if(isNotZero(e, count), () => {
      const CF = made.CF();
      e.setFlags({ CF, OF: made.OF(CF) });
    });
  };

/** OF: CF and the highest bit differ, after rotating left. */
const differs = (e: Builder, result: Value) => (CF: Value) =>
  e.compare('ne', top(e, result, result.bits), CF);

/** Intel SDM Vol. 2B "RCL/RCR/ROL/ROR—Rotate". */
export const ROL = instruction('ROL', {
  encodings: shiftEncodings(0, OF_DEFINED),
  undefinedFlags: ['OF'],
  semantics: rotate((e, value, count) => {
    const result = rotated(e, 'rotl', value, count);
    return { result, CF: () => bit(e, result, 0), OF: differs(e, result) };
  }),
});
export const ROR = instruction('ROR', {
  encodings: shiftEncodings(1, OF_DEFINED),
  undefinedFlags: ['OF'],
  semantics: rotate((e, value, count) => {
    const result = rotated(e, 'rotr', value, count);
    return {
      result,
      CF: () => top(e, result, value.bits),
      OF: () => topTwoDiffer(e, result, value.bits),
    };
  }),
});

/** Rotating through CF, one bit more than the operand has: counts are modulo that. */
function moduloWithCarry(e: Builder, count: Value, bits: number): Value {
  if (bits >= 32) return count;
  const dividend = { high: e.constant(8, 0), low: count };
  return e.divideWide(dividend, e.constant(8, bits + 1)).remainder;
}

/** `count` to the left in a ring of `bits` + 1, of which CF is the highest. @returns the new ring, in the same places */
function rotatedRing(e: Builder, value: Value, count: Value): { result: Value; CF: Value } {
  const { bits } = value;
  const by = (operation: 'shl' | 'shr', a: Value, n: Value) => e.shift(operation, a, n);
  const one = e.constant(8, 1);
  const oldCarry = e.zeroExtend(e.flag('CF'), 64);
  if (bits < 64) {
    const ring = e.binary('or', e.zeroExtend(value, 64), by('shl', oldCarry, e.constant(8, bits)));
    const rest = e.binary('sub', e.constant(8, bits + 1), count);
    const turned = e.binary('or', by('shl', ring, count), by('shr', ring, rest));
    return { result: e.truncate(turned, bits), CF: bit(e, turned, bits) };
  }
  // What leaves at the top, `count` bits with CF as the highest, comes in below; of count 0, nothing.
  const isCounted = isNotZero(e, count);
  const before = e.binary('sub', count, one);
  const rest = e.binary('xor', before, e.constant(8, 63)); // 64 - count
  const entering = e.binary('or', by('shl', oldCarry, before), by('shr', by('shr', value, one), rest));
  const turned = e.binary('or', by('shl', by('shl', value, before), one), entering);
  const leaving = e.truncate(by('shr', value, rest), 1);
  return {
    result: e.select(isCounted, turned, value),
    CF: e.select(isCounted, leaving, e.truncate(oldCarry, 1)),
  };
}

export const RCL = instruction('RCL', {
  encodings: shiftEncodings(2, OF_DEFINED),
  undefinedFlags: ['OF'],
  semantics: rotate((e, value, count) => {
    const { result, CF } = rotatedRing(e, value, moduloWithCarry(e, count, value.bits));
    return { result, CF: () => CF, OF: differs(e, result) };
  }),
});

/** To the right by n is to the left by the ring's bits less n. */
export const RCR = instruction('RCR', {
  encodings: shiftEncodings(3, OF_DEFINED),
  undefinedFlags: ['OF'],
  semantics: rotate((e, value, count) => {
    const { bits } = value;
    const modulo = moduloWithCarry(e, count, bits);
    const left = e.binary('sub', e.constant(8, bits + 1), modulo);
    const { result, CF } = rotatedRing(e, value, e.select(isNotZero(e, modulo), left, modulo));
    return { result, CF: () => CF, OF: () => topTwoDiffer(e, result, bits) };
  }),
});

const doubleEncodings = (byte: number): Encoding[] => {
  const hex = (value: number) => value.toString(16).toUpperCase();
  return [
    enc('MRI', `0F ${hex(byte)} /r ib`, rw('rmv'), r('rv'), r('imm8')),
    enc('MRC', `0F ${hex(byte + 1)} /r`, rw('rmv'), r('rv'), r('cl')),
  ];
};

/**
 * The destination with the source behind it, where it comes from, shifted. Of 16 bits, counts above 16 go on with the
 * source again, as AMD has it.
 */
function shiftedDouble(e: Builder, kind: 'shl' | 'shr', a: Value, filler: Value, count: Value): Value {
  const { bits } = a;
  const other = kind === 'shl' ? 'shr' : 'shl';
  if (bits > 16) {
    const rest = e.binary('xor', count, e.constant(8, bits - 1)); // one less than what remains
    const entering = e.shift(other, e.shift(other, filler, e.constant(8, 1)), rest);
    return e.binary('or', e.shift(kind, a, count), entering);
  }
  const place = (value: Value, at: number) => e.shift('shl', e.zeroExtend(value, 64), e.constant(8, at));
  const around = kind === 'shl' ? place(a, 32) : place(filler, 32);
  const inner = e.binary('or', place(filler, 16), kind === 'shl' ? place(filler, 0) : place(a, 0));
  const shifted = e.shift(kind, e.binary('or', around, inner), count);
  return e.truncate(kind === 'shl' ? e.shift('shr', shifted, e.constant(8, 32)) : shifted, bits);
}

const doubleShift =
  ({ operation, carry, overflow }: Kind) =>
  (e: Builder, destination?: Operand, source?: Operand, counted?: Operand): void => {
    const { bits } = destination!;
    const a = e.read(destination!);
    const count = masked(e, counted!, bits);
    const result = shiftedDouble(e, operation as 'shl' | 'shr', a, e.read(source!), count);
    e.write(destination!, result);
    e.if(isNotZero(e, count), () => {
      const last = e.shift(operation, widened(e, a, operation), e.binary('sub', count, e.constant(8, 1)));
      const CF = carry(e, last, bits);
      // To the left, OF is the destination's own: it makes a difference for counts of 16 and more of 16 bits.
      const highest = operation === 'shl' ? e.shift('shl', last, e.constant(8, 1)) : result;
      e.resultFlags(result, { CF, OF: overflow(e, highest, CF, bits), AF: e.constant(1, 1) });
    });
  };

/** Intel SDM Vol. 2B "SHLD—Double Precision Shift Left". Of 16 bits, counts above 16 leave result and flags undefined. */
export const SHLD = instruction('SHLD', {
  encodings: doubleEncodings(0xa4),
  undefinedFlags: ['AF', 'OF'],
  semantics: doubleShift(LEFT),
});

/** Intel SDM Vol. 2B "SHRD—Double Precision Shift Right". */
export const SHRD = instruction('SHRD', {
  encodings: doubleEncodings(0xac),
  undefinedFlags: ['AF', 'OF'],
  semantics: doubleShift(RIGHT),
});

export const SHIFTS: readonly Instruction[] = [ROL, ROR, RCL, RCR, SHL, SHR, SAR, SHLD, SHRD];
