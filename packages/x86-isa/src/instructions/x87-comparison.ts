/** Comparison and classification (Intel SDM Vol. 1 §8.3.6 "Comparison and Classification Instructions"). */
import type { Builder, Operand, Value } from '../builder.ts';
import { type Encoding, enc, type Instruction } from '../instruction.ts';
import { r } from '../operand.ts';
import type { StackPlace, Widened, X87Comparison } from '../x87-builder.ts';
import { popAfter, readNumber, x87, x87Implied } from './x87-rows.ts';

type Pops = 0 | 1 | 2;
type Compared = (e: Builder, source: Operand) => StackPlace | Widened;

/** The result is in C3, C2 and C0. */
function compare(e: Builder, operation: X87Comparison, b: StackPlace | Widened, pops: Pops): void {
  const isDone = e.x87.settle(e.x87.compare(operation, b), 'all');
  if (pops > 0) popAfter(e, isDone, pops as 1 | 2);
}

function comparison(
  mnemonic: string,
  operation: X87Comparison,
  pops: Pops,
  encodings: readonly Encoding[],
  compared: Compared = ofFloat,
): Instruction {
  return x87(mnemonic, encodings, (e, source) => compare(e, operation, compared(e, source!), pops));
}

const ofInteger: Compared = (e, source) => e.x87.widen('integer', readNumber(e, source));

const ofFloat: Compared = (e, source) => {
  if (source.isMemory) return e.x87.widen('float', readNumber(e, source));
  e.x87.remember();
  return source;
};

const floats = (digit: number): readonly Encoding[] => [
  enc('M', `D8 /${digit}`, r('m32')),
  enc('M', `DC /${digit}`, r('m64')),
  enc('M', `D8 /${digit}`, r('sti')),
];
const integers = (digit: number): readonly Encoding[] => [
  enc('M', `DE /${digit}`, r('m16')),
  enc('M', `DA /${digit}`, r('m32')),
];

/** With ST(1), and both go. */
const compareAndPopBoth = (mnemonic: string, notation: string, operation: X87Comparison): Instruction =>
  x87Implied(mnemonic, notation, (e) => compare(e, operation, 1, 2));

const C0_BIT = 8;
const C2_BIT = 10;
const C3_BIT = 14;

/** The result is in ZF, PF and CF, even if an exception keeps the stack as it is. */
function compareToFlags(
  mnemonic: string,
  notation: string,
  operation: X87Comparison,
  pops: Pops,
): Instruction {
  return x87(
    mnemonic,
    [enc('M', notation, r('sti'))],
    (e, source) => {
      e.x87.remember();
      const found = e.x87.compare(operation, source!);
      const clear = e.constant(1, 0);
      const bit = (place: number): Value => e.truncate(e.shift('shr', found, e.constant(8, place)), 1);
      const order = { ZF: bit(C3_BIT), PF: bit(C2_BIT), CF: bit(C0_BIT) };
      e.setFlags({ ...order, OF: clear, SF: clear, AF: clear });
      const isDone = e.x87.settle(found, 'C1');
      if (pops > 0) popAfter(e, isDone);
    },
    'CMOV',
  );
}

export const X87_COMPARISON: readonly Instruction[] = [
  comparison('FCOM', 'fcom', 0, floats(2)),
  comparison('FCOMP', 'fcom', 1, floats(3)),
  compareAndPopBoth('FCOMPP', 'DE D9', 'fcom'),
  comparison('FICOM', 'fcom', 0, integers(2), ofInteger),
  comparison('FICOMP', 'fcom', 1, integers(3), ofInteger),
  comparison('FUCOM', 'fucom', 0, [enc('M', 'DD /4', r('sti'))]),
  comparison('FUCOMP', 'fucom', 1, [enc('M', 'DD /5', r('sti'))]),
  compareAndPopBoth('FUCOMPP', 'DA E9', 'fucom'),
  compareToFlags('FCOMI', 'DB /6', 'fcom', 0),
  compareToFlags('FCOMIP', 'DF /6', 'fcom', 1),
  compareToFlags('FUCOMI', 'DB /5', 'fucom', 0),
  compareToFlags('FUCOMIP', 'DF /5', 'fucom', 1),
  x87Implied('FTST', 'D9 E4', (e) => compare(e, 'fcom', e.x87.widen('integer', e.constant(32, 0)), 0)),
  x87Implied('FXAM', 'D9 E5', (e) => e.x87.examine()),
];
