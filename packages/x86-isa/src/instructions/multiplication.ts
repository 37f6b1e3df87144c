/** Multiplication and division (Intel SDM Vol. 1 §7.3.2 "Binary Arithmetic Instructions"). */
import type { Builder, Halves, Operand, Value } from '../builder.ts';
import { enc, type Instruction, instruction } from '../instruction.ts';
import { r, rw, w } from '../operand.ts';

const RAX = 0;
const RDX = 2;
type GeneralBits = 8 | 16 | 32 | 64;
const generalBits = (operand: Operand) => operand.bits as GeneralBits;

const highBit = (e: Builder, value: Value) => e.compare('ltS', value, e.constant(value.bits, 0));
const isNotZero = (e: Builder, value: Value) => e.compare('ne', value, e.constant(value.bits, 0));

/** rDX:rAX; of 8 bits, AX. */
function readPair(e: Builder, bits: GeneralBits): Halves {
  if (bits !== 8) return { high: e.readRegister(RDX, bits), low: e.readRegister(RAX, bits) };
  const pair = e.readRegister(RAX, 16);
  return { high: e.truncate(e.shift('shr', pair, e.constant(8, 8)), 8), low: e.truncate(pair, 8) };
}

function writePair(e: Builder, { high, low }: Halves): void {
  if (low.bits !== 8) {
    e.writeRegister(RAX, low);
    e.writeRegister(RDX, high);
    return;
  }
  const upper = e.shift('shl', e.zeroExtend(high, 16), e.constant(8, 8));
  e.writeRegister(RAX, e.binary('or', upper, e.zeroExtend(low, 16)));
}

/** CF and OF: the product does not fit into its lower half. The other flags are undefined. */
function multiplyFlags(e: Builder, kind: 'signed' | 'unsigned', { high, low }: Halves): void {
  const { bits } = low;
  const sign = kind === 'signed' ? e.shift('sar', low, e.constant(8, bits - 1)) : e.constant(bits, 0);
  const overflow = e.compare('ne', high, sign);
  e.resultFlags(low, { CF: overflow, OF: overflow });
}

const MULTIPLY_UNDEFINED = ['SF', 'ZF', 'AF', 'PF'] as const;

const multiplyAccumulator =
  (kind: 'signed' | 'unsigned') =>
  (e: Builder, source: Operand): void => {
    const b = e.read(source);
    const product = e.multiplyWide(kind, e.readRegister(RAX, generalBits(source)), b);
    writePair(e, product);
    multiplyFlags(e, kind, product);
  };

/** Intel SDM Vol. 2B "MUL—Unsigned Multiply". */
export const MUL = instruction('MUL', {
  encodings: [enc('M', 'F6 /4', r('rm8')), enc('M', 'F7 /4', r('rmv'))],
  undefinedFlags: MULTIPLY_UNDEFINED,
  semantics(e, source) {
    multiplyAccumulator('unsigned')(e, source!);
  },
});

/** Intel SDM Vol. 2A "IMUL—Signed Multiply". */
export const IMUL = instruction('IMUL', {
  encodings: [
    enc('M', 'F6 /5', r('rm8')),
    enc('M', 'F7 /5', r('rmv')),
    enc('RM', '0F AF /r', rw('rv'), r('rmv')),
    enc('RMI', '6B /r ib', w('rv'), r('rmv'), r('imm8s')),
    enc('RMI', '69 /r iz', w('rv'), r('rmv'), r('immz')),
  ],
  undefinedFlags: MULTIPLY_UNDEFINED,
  semantics(e, first, second, third) {
    if (second === undefined) return multiplyAccumulator('signed')(e, first!);
    const a = e.read(second);
    const b = e.read(third ?? first!);
    const product = e.binary('mul', a, b);
    e.write(first!, product);
    e.statusFlags('multiply', a, b, product);
  },
});

/** All flags are undefined; AMD leaves CF and OF. */
function divideFlags(e: Builder): void {
  const clear = e.constant(1, 0);
  e.setFlags({ PF: clear, ZF: clear, SF: clear, AF: e.constant(1, 1) });
}

const DIVIDE_UNDEFINED = ['CF', 'OF', 'SF', 'ZF', 'AF', 'PF'] as const;

/** Intel SDM Vol. 2A "DIV—Unsigned Divide". */
export const DIV = instruction('DIV', {
  encodings: [enc('M', 'F6 /6', r('rm8')), enc('M', 'F7 /6', r('rmv'))],
  undefinedFlags: DIVIDE_UNDEFINED,
  semantics(e, source) {
    const divisor = e.read(source!);
    const dividend = readPair(e, generalBits(source!));
    // The quotient does not fit, or the divisor is 0.
    e.if(e.compare('leU', divisor, dividend.high), () => e.raise('DE'));
    const { quotient, remainder } = e.divideWide(dividend, divisor);
    writePair(e, { high: remainder, low: quotient });
    divideFlags(e);
  },
});

function negatedIf(e: Builder, condition: Value, value: Value): Value {
  return e.select(condition, e.binary('sub', e.constant(value.bits, 0), value), value);
}

function negatedPairIf(e: Builder, condition: Value, { high, low }: Halves): Halves {
  const borrow = e.zeroExtend(isNotZero(e, low), high.bits);
  const negatedHigh = e.binary('sub', e.binary('sub', e.constant(high.bits, 0), high), borrow);
  return { high: e.select(condition, negatedHigh, high), low: negatedIf(e, condition, low) };
}

/** Intel SDM Vol. 2A "IDIV—Signed Divide": of magnitudes; the remainder has the dividend's sign. */
export const IDIV = instruction('IDIV', {
  encodings: [enc('M', 'F6 /7', r('rm8')), enc('M', 'F7 /7', r('rmv'))],
  undefinedFlags: DIVIDE_UNDEFINED,
  semantics(e, source) {
    const divisor = e.read(source!);
    const dividend = readPair(e, generalBits(source!));
    const isNegative = highBit(e, dividend.high);
    const magnitude = negatedPairIf(e, isNegative, dividend);
    const divisorIsNegative = highBit(e, divisor);
    const divisorMagnitude = negatedIf(e, divisorIsNegative, divisor);
    e.if(e.compare('leU', divisorMagnitude, magnitude.high), () => e.raise('DE'));
    const { quotient, remainder } = e.divideWide(magnitude, divisorMagnitude);
    const quotientIsNegative = e.compare('ne', isNegative, divisorIsNegative);
    // There is one negative number more than there are positive ones.
    const limit = e.shift('shr', e.constant(divisor.bits, -1n), e.constant(8, 1));
    const most = e.binary('add', limit, e.zeroExtend(quotientIsNegative, divisor.bits));
    e.if(e.compare('ltU', most, quotient), () => e.raise('DE'));
    writePair(e, {
      high: negatedIf(e, isNegative, remainder),
      low: negatedIf(e, quotientIsNegative, quotient),
    });
    divideFlags(e);
  },
});

export const MULTIPLICATION: readonly Instruction[] = [MUL, IMUL, DIV, IDIV];
