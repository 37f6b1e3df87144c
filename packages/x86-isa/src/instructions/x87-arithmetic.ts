/** Arithmetic (Intel SDM Vol. 1 §8.3.5 "Basic Arithmetic Instructions"). */
import { enc, type Instruction } from '../instruction.ts';
import { r, rw } from '../operand.ts';
import type { X87Binary } from '../x87-builder.ts';
import { popAfter, readNumber, x87, x87Implied } from './x87-rows.ts';

/**
 * `FADD ST(0), ST(i)`, `FADD m32fp`, `FADD ST(i), ST(0)` and `FADDP`, `FIADD m32int`. Reversed, the destination is what
 * is subtracted or divided by. Where ST(i) is the destination the opcode's digit is another one.
 */
function family(
  name: string,
  operation: X87Binary,
  isReversed: boolean,
  digit: number,
  registerDigit: number,
): readonly Instruction[] {
  return [
    toTop(`F${name}`, operation, isReversed, digit),
    toRegister(`F${name}`, 'DC', operation, isReversed, registerDigit),
    toRegister(`F${name}P`, 'DE', operation, isReversed, registerDigit),
    fromInteger(`FI${name}`, operation, isReversed, digit),
  ];
}

function toTop(mnemonic: string, operation: X87Binary, isReversed: boolean, digit: number): Instruction {
  const encodings = [
    enc('M', `D8 /${digit}`, r('m32')),
    enc('M', `DC /${digit}`, r('m64')),
    enc('M', `D8 /${digit}`, r('sti')),
  ];
  return x87(mnemonic, encodings, (e, source) => {
    const isMemory = source!.isMemory;
    const other = isMemory ? e.x87.widen('float', readNumber(e, source!)) : source!;
    if (!isMemory) e.x87.remember();
    e.x87.binary(operation, 0, isReversed ? other : 0, isReversed ? 0 : other);
  });
}

function toRegister(
  mnemonic: string,
  opcode: 'DC' | 'DE',
  operation: X87Binary,
  isReversed: boolean,
  digit: number,
): Instruction {
  return x87(mnemonic, [enc('M', `${opcode} /${digit}`, rw('sti'))], (e, destination) => {
    e.x87.remember();
    const [a, b] = isReversed ? ([0, destination!] as const) : ([destination!, 0] as const);
    const isDone = e.x87.binary(operation, destination!, a, b);
    if (opcode === 'DE') popAfter(e, isDone);
  });
}

function fromInteger(
  mnemonic: string,
  operation: X87Binary,
  isReversed: boolean,
  digit: number,
): Instruction {
  const encodings = [enc('M', `DA /${digit}`, r('m32')), enc('M', `DE /${digit}`, r('m16'))];
  return x87(mnemonic, encodings, (e, source) => {
    const other = e.x87.widen('integer', readNumber(e, source!));
    e.x87.binary(operation, 0, isReversed ? other : 0, isReversed ? 0 : other);
  });
}

export const X87_ARITHMETIC: readonly Instruction[] = [
  ...family('ADD', 'fadd', false, 0, 0),
  ...family('MUL', 'fmul', false, 1, 1),
  ...family('SUB', 'fsub', false, 4, 5),
  ...family('SUBR', 'fsub', true, 5, 4),
  ...family('DIV', 'fdiv', false, 6, 7),
  ...family('DIVR', 'fdiv', true, 7, 6),
  x87Implied('FCHS', 'D9 E0', (e) => e.x87.unary('fchs')),
  x87Implied('FABS', 'D9 E1', (e) => e.x87.unary('fabs')),
  x87Implied('FXTRACT', 'D9 F4', (e) => e.x87.split('fxtract')),
  x87Implied('FPREM1', 'D9 F5', (e) => e.x87.binary('fprem1', 0, 0, 1)),
  x87Implied('FPREM', 'D9 F8', (e) => e.x87.binary('fprem', 0, 0, 1)),
  x87Implied('FSQRT', 'D9 FA', (e) => e.x87.unary('fsqrt')),
  x87Implied('FRNDINT', 'D9 FC', (e) => e.x87.unary('frndint')),
  x87Implied('FSCALE', 'D9 FD', (e) => e.x87.binary('fscale', 0, 0, 1)),
];
