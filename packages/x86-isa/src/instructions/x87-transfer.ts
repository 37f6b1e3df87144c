/** Loads, stores, constants and moves (Intel SDM Vol. 1 §8.3.3 "Data Transfer Instructions", §8.3.4 "Load Constant Instructions"). */
import type { Builder, Condition, Operand } from '../builder.ts';
import { type Encoding, enc, type Feature, type Instruction } from '../instruction.ts';
import { r, rw, w } from '../operand.ts';
import type { X87Format } from '../x87-builder.ts';
import { popAfter, readNumber, x87, x87Implied } from './x87-rows.ts';

const load = (mnemonic: string, format: X87Format, encodings: readonly Encoding[]): Instruction =>
  x87(mnemonic, encodings, (e, source) => {
    e.x87.push(format, readNumber(e, source!));
  });

const LOADS: readonly Instruction[] = [
  load('FLD', 'float', [
    enc('M', 'D9 /0', r('m32')),
    enc('M', 'DD /0', r('m64')),
    enc('M', 'DB /5', r('m80')),
  ]),
  x87('FLD', [enc('M', 'D9 /0', r('sti'))], (e, source) => {
    e.x87.remember();
    e.x87.pushCopy(source!);
  }),
  load('FILD', 'integer', [
    enc('M', 'DF /0', r('m16')),
    enc('M', 'DB /0', r('m32')),
    enc('M', 'DF /5', r('m64')),
  ]),
  load('FBLD', 'decimal', [enc('M', 'DF /4', r('m80'))]),
  ...['FLD1', 'FLDL2T', 'FLDL2E', 'FLDPI', 'FLDLG2', 'FLDLN2', 'FLDZ'].map((mnemonic, index) =>
    x87Implied(mnemonic, `D9 E${(8 + index).toString(16).toUpperCase()}`, (e) => e.x87.pushConstant(index)),
  ),
];

/** The write faults even if there is no result to be written. */
function storeTop(e: Builder, destination: Operand, format: X87Format, pops: boolean): void {
  e.checkWrite(destination);
  const { value, flags } = e.x87.narrow(format, destination.bits as 16 | 32 | 64 | 80);
  e.if(e.x87.hasResult(flags), () => e.write(destination, value));
  e.x87.remember(e.addressOf(destination));
  const isDone = e.x87.settle(flags, 'C1');
  if (pops) popAfter(e, isDone);
}

function store(
  mnemonic: string,
  format: X87Format,
  pops: boolean,
  encodings: readonly Encoding[],
  feature?: Feature,
): Instruction {
  return x87(mnemonic, encodings, (e, destination) => storeTop(e, destination!, format, pops), feature);
}

const toRegister = (mnemonic: string, notation: string, pops: boolean): Instruction =>
  x87(mnemonic, [enc('M', notation, w('sti'))], (e, destination) => {
    e.x87.remember();
    const isDone = e.x87.move(destination!, 0);
    if (pops) popAfter(e, isDone);
  });

const STORES: readonly Instruction[] = [
  store('FST', 'float', false, [enc('M', 'D9 /2', w('m32')), enc('M', 'DD /2', w('m64'))]),
  toRegister('FST', 'DD /2', false),
  store('FSTP', 'float', true, [
    enc('M', 'D9 /3', w('m32')),
    enc('M', 'DD /3', w('m64')),
    enc('M', 'DB /7', w('m80')),
  ]),
  toRegister('FSTP', 'DD /3', true),
  store('FIST', 'integer', false, [enc('M', 'DF /2', w('m16')), enc('M', 'DB /2', w('m32'))]),
  store('FISTP', 'integer', true, [
    enc('M', 'DF /3', w('m16')),
    enc('M', 'DB /3', w('m32')),
    enc('M', 'DF /7', w('m64')),
  ]),
  store(
    'FISTTP',
    'truncated-integer',
    true,
    [enc('M', 'DF /1', w('m16')), enc('M', 'DB /1', w('m32')), enc('M', 'DD /1', w('m64'))],
    'SSE3',
  ),
  store('FBSTP', 'decimal', true, [enc('M', 'DF /6', w('m80'))]),
];

/** Intel SDM Vol. 2A "FCMOVcc—Floating-Point Conditional Move". */
const moveIf = (mnemonic: string, notation: string, condition: Condition): Instruction =>
  x87(
    mnemonic,
    [enc('M', notation, r('sti'))],
    (e, source) => {
      e.x87.remember();
      e.x87.move(0, source!, e.condition(condition));
    },
    'CMOV',
  );

const MOVES: readonly Instruction[] = [
  x87('FXCH', [enc('M', 'D9 /1', rw('sti'))], (e, other) => {
    e.x87.remember();
    e.x87.exchange(other!);
  }),
  moveIf('FCMOVB', 'DA /0', 2),
  moveIf('FCMOVE', 'DA /1', 4),
  moveIf('FCMOVBE', 'DA /2', 6),
  moveIf('FCMOVU', 'DA /3', 10),
  moveIf('FCMOVNB', 'DB /0', 3),
  moveIf('FCMOVNE', 'DB /1', 5),
  moveIf('FCMOVNBE', 'DB /2', 7),
  moveIf('FCMOVNU', 'DB /3', 11),
];

export const X87_TRANSFER: readonly Instruction[] = [...LOADS, ...STORES, ...MOVES];
