/** Bitwise logic (Intel SDM Vol. 1 §7.3.4 "Logical Instructions"). */
import type { BinaryOperation } from '../builder.ts';
import { enc, type Instruction, type InstructionDefinition, instruction, lockable } from '../instruction.ts';
import { r, rw } from '../operand.ts';
import { aluEncodings } from './arithmetic.ts';

function bitwise(
  operation: BinaryOperation,
  encodings: InstructionDefinition['encodings'],
): InstructionDefinition {
  return {
    encodings,
    undefinedFlags: ['AF'],
    semantics(e, destination, source) {
      const a = e.read(destination!);
      const b = e.read(source!);
      const result = e.binary(operation, a, b);
      e.write(destination!, result);
      e.statusFlags('logic', a, b, result);
    },
  };
}

/** Intel SDM Vol. 2A "AND—Logical AND". */
export const AND = instruction('AND', bitwise('and', aluEncodings(0x20, 4, rw)));
/** Intel SDM Vol. 2B "OR—Logical Inclusive OR". */
export const OR = instruction('OR', bitwise('or', aluEncodings(0x08, 1, rw)));
/** Intel SDM Vol. 2D "XOR—Logical Exclusive OR". */
export const XOR = instruction('XOR', bitwise('xor', aluEncodings(0x30, 6, rw)));

/** Intel SDM Vol. 2B "NOT—One's Complement Negation". */
export const NOT = instruction('NOT', {
  encodings: [enc('M', 'F6 /2', rw('rm8'), lockable), enc('M', 'F7 /2', rw('rmv'), lockable)],
  semantics(e, destination) {
    e.write(destination!, e.not(e.read(destination!)));
  },
});

/** Intel SDM Vol. 2D "TEST—Logical Compare". /1 is an alias that processors decode and the manual leaves out. */
export const TEST = instruction('TEST', {
  encodings: [
    enc('I', 'A8 ib', r('al'), r('imm8')),
    enc('I', 'A9 iz', r('av'), r('immz')),
    enc('MI', 'F6 /0 ib', r('rm8'), r('imm8')),
    enc('MI', 'F6 /1 ib', r('rm8'), r('imm8')),
    enc('MI', 'F7 /0 iz', r('rmv'), r('immz')),
    enc('MI', 'F7 /1 iz', r('rmv'), r('immz')),
    enc('MR', '84 /r', r('rm8'), r('r8')),
    enc('MR', '85 /r', r('rmv'), r('rv')),
  ],
  undefinedFlags: ['AF'],
  semantics(e, first, second) {
    const a = e.read(first!);
    const b = e.read(second!);
    e.statusFlags('logic', a, b, e.binary('and', a, b));
  },
});

export const LOGIC: readonly Instruction[] = [AND, OR, XOR, NOT, TEST];
