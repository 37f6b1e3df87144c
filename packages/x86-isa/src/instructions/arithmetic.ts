/** Addition, subtraction and comparison (Intel SDM Vol. 1 §7.3.2 "Binary Arithmetic Instructions"). */
import type { Builder, FlagsKind, Operand, Value } from '../builder.ts';
import { type Encoding, enc, type Instruction, instruction, lockable, not64 } from '../instruction.ts';
import { r, rw } from '../operand.ts';

/** The eight rows that the two-operand instructions of the first opcode rows share. */
export function aluEncodings(row: number, digit: number, destination: typeof r): Encoding[] {
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(2, '0');
  const lock = destination === rw ? lockable : {};
  return [
    enc('I', `${hex(row + 4)} ib`, destination('al'), r('imm8')),
    enc('I', `${hex(row + 5)} iz`, destination('av'), r('immz')),
    enc('MI', `80 /${digit} ib`, destination('rm8'), r('imm8'), lock),
    enc('MI', `81 /${digit} iz`, destination('rmv'), r('immz'), lock),
    enc('MI', `83 /${digit} ib`, destination('rmv'), r('imm8s'), lock),
    enc('MR', `${hex(row)} /r`, destination('rm8'), r('r8'), lock),
    enc('MR', `${hex(row + 1)} /r`, destination('rmv'), r('rv'), lock),
    enc('RM', `${hex(row + 2)} /r`, destination('r8'), r('rm8')),
    enc('RM', `${hex(row + 3)} /r`, destination('rv'), r('rmv')),
    // In 64-bit mode, opcode 82 is invalid (Vol. 3B §23.15 "Undefined Opcodes").
    enc('MI', `82 /${digit} ib`, destination('rm8'), r('imm8'), lock, not64),
  ];
}

/** Intel SDM Vol. 2A "ADD—Add". */
export const ADD = instruction('ADD', {
  encodings: aluEncodings(0x00, 0, rw),
  semantics(e, destination, source) {
    const a = e.read(destination!);
    const b = e.read(source!);
    const sum = e.binary('add', a, b);
    e.write(destination!, sum);
    e.statusFlags('add', a, b, sum);
  },
});

/** Intel SDM Vol. 2A "ADC—Add With Carry". */
export const ADC = instruction('ADC', {
  encodings: aluEncodings(0x10, 2, rw),
  semantics(e, destination, source) {
    const a = e.read(destination!);
    const b = e.read(source!);
    const carry = e.zeroExtend(e.flag('CF'), a.bits);
    const sum = e.binary('add', e.binary('add', a, b), carry);
    e.write(destination!, sum);
    e.statusFlags('adc', a, b, sum);
  },
});

/** Intel SDM Vol. 2B "SUB—Subtract". */
export const SUB = instruction('SUB', {
  encodings: aluEncodings(0x28, 5, rw),
  semantics(e, destination, source) {
    const a = e.read(destination!);
    const b = e.read(source!);
    const difference = e.binary('sub', a, b);
    e.write(destination!, difference);
    e.statusFlags('sub', a, b, difference);
  },
});

/** Intel SDM Vol. 2B "SBB—Integer Subtraction With Borrow". */
export const SBB = instruction('SBB', {
  encodings: aluEncodings(0x18, 3, rw),
  semantics(e, destination, source) {
    const a = e.read(destination!);
    const b = e.read(source!);
    const borrow = e.zeroExtend(e.flag('CF'), a.bits);
    const difference = e.binary('sub', e.binary('sub', a, b), borrow);
    e.write(destination!, difference);
    e.statusFlags('sbb', a, b, difference);
  },
});

/** Intel SDM Vol. 2A "CMP—Compare Two Operands". */
export const CMP = instruction('CMP', {
  encodings: aluEncodings(0x38, 7, r),
  semantics(e, first, second) {
    const a = e.read(first!);
    const b = e.read(second!);
    e.statusFlags('sub', a, b, e.binary('sub', a, b));
  },
});

function step(operation: 'add' | 'sub', flags: FlagsKind) {
  return (e: Builder, destination?: Operand): void => {
    const a = e.read(destination!);
    const one: Value = e.constant(a.bits, 1);
    const result = e.binary(operation, a, one);
    e.write(destination!, result);
    e.statusFlags(flags, a, one, result);
  };
}

/** Intel SDM Vol. 2A "INC—Increment by 1". In 64-bit mode, 40 to 4F are REX prefixes. */
export const INC = instruction('INC', {
  encodings: [
    enc('M', 'FE /0', rw('rm8'), lockable),
    enc('M', 'FF /0', rw('rmv'), lockable),
    enc('O', '40 +r', rw('ov'), not64),
  ],
  semantics: step('add', 'inc'),
});

/** Intel SDM Vol. 2A "DEC—Decrement by 1". */
export const DEC = instruction('DEC', {
  encodings: [
    enc('M', 'FE /1', rw('rm8'), lockable),
    enc('M', 'FF /1', rw('rmv'), lockable),
    enc('O', '48 +r', rw('ov'), not64),
  ],
  semantics: step('sub', 'dec'),
});

/** Intel SDM Vol. 2B "NEG—Two's Complement Negation". */
export const NEG = instruction('NEG', {
  encodings: [enc('M', 'F6 /3', rw('rm8'), lockable), enc('M', 'F7 /3', rw('rmv'), lockable)],
  semantics(e, destination) {
    const b = e.read(destination!);
    const zero = e.constant(b.bits, 0);
    const result = e.binary('sub', zero, b);
    e.write(destination!, result);
    e.statusFlags('sub', zero, b, result);
  },
});

export const ARITHMETIC: readonly Instruction[] = [ADD, ADC, SUB, SBB, CMP, INC, DEC, NEG];
