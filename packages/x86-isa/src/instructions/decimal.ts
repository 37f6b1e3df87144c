/** Decimal digits, packed and unpacked (Intel SDM Vol. 1 §7.3.3 "Decimal Arithmetic Instructions"). Not in 64-bit mode. */
import type { Builder, Value } from '../builder.ts';
import { enc, type Instruction, instruction, not64 } from '../instruction.ts';
import { r } from '../operand.ts';

const RAX = 0;
const byte = (e: Builder, value: number) => e.constant(8, value);
const or = (e: Builder, a: Value, b: Value) => e.binary('or', a, b);
const isAbove = (e: Builder, value: Value, limit: number) => e.compare('ltU', byte(e, limit), value);

/** Whether the lowest digit is none, or has carried. */
function needsAdjustment(e: Builder, al: Value): Value {
  return or(e, isAbove(e, e.binary('and', al, byte(e, 0x0f)), 9), e.flag('AF'));
}

/** A digit in AL, what it carries to AH. */
function adjustUnpacked(mnemonic: string, opcode: string, operation: 'add' | 'sub'): Instruction {
  return instruction(mnemonic, {
    encodings: [enc('NP', opcode, not64)],
    undefinedFlags: ['OF', 'SF', 'ZF', 'PF'],
    semantics(e) {
      const ax = e.readRegister(RAX, 16);
      const adjusts = needsAdjustment(e, e.readRegister(RAX, 8));
      // Of AX as a whole: what AL carries out goes to AH.
      const changed =
        operation === 'add'
          ? e.binary('add', ax, e.constant(16, 0x106))
          : e.binary('sub', ax, e.constant(16, 0x106));
      const result = e.binary('and', e.select(adjusts, changed, ax), e.constant(16, 0xff0f));
      e.writeRegister(RAX, result);
      e.setFlags({ CF: adjusts, AF: adjusts });
    },
  });
}

/** Intel SDM Vol. 2A "AAA—ASCII Adjust After Addition", "AAS—ASCII Adjust AL After Subtraction". */
export const AAA = adjustUnpacked('AAA', '37', 'add');
export const AAS = adjustUnpacked('AAS', '3F', 'sub');

/** Two digits in AL. */
function adjustPacked(mnemonic: string, opcode: string, operation: 'add' | 'sub'): Instruction {
  return instruction(mnemonic, {
    encodings: [enc('NP', opcode, not64)],
    undefinedFlags: ['OF'],
    semantics(e) {
      const al = e.readRegister(RAX, 8);
      const low = needsAdjustment(e, al);
      const high = or(e, isAbove(e, al, 0x99), e.flag('CF'));
      const zero = byte(e, 0);
      const lowPart = e.select(low, byte(e, 0x06), zero);
      const adjustment = e.binary('add', lowPart, e.select(high, byte(e, 0x60), zero));
      const result = e.binary(operation, al, adjustment);
      // Taking 6 from less than 6 borrows. Adding it carries only where the upper digit is adjusted, too.
      const borrows = operation === 'sub' ? e.compare('ltU', al, lowPart) : e.constant(1, 0);
      e.writeRegister(RAX, result);
      e.resultFlags(result, { CF: or(e, high, borrows), OF: e.constant(1, 0), AF: low });
    },
  });
}

/** Intel SDM Vol. 2A "DAA—Decimal Adjust AL After Addition", "DAS—Decimal Adjust AL After Subtraction". */
export const DAA = adjustPacked('DAA', '27', 'add');
export const DAS = adjustPacked('DAS', '2F', 'sub');

/** Intel SDM Vol. 2A "AAM—ASCII Adjust AX After Multiply". The base is an operand, 10 in assemblers. */
export const AAM = instruction('AAM', {
  encodings: [enc('I', 'D4 ib', r('imm8'), not64)],
  undefinedFlags: ['CF', 'OF', 'AF'],
  semantics(e, operand) {
    const base = e.read(operand!);
    const zero = byte(e, 0);
    e.if(e.compare('eq', base, zero), () => e.raise('DE'));
    const { quotient, remainder } = e.divideWide({ high: zero, low: e.readRegister(RAX, 8) }, base);
    const upper = e.shift('shl', e.zeroExtend(quotient, 16), byte(e, 8));
    e.writeRegister(RAX, or(e, upper, e.zeroExtend(remainder, 16)));
    e.statusFlags('logic', remainder, remainder, remainder);
  },
});

/** Intel SDM Vol. 2A "AAD—ASCII Adjust AX Before Division". */
export const AAD = instruction('AAD', {
  encodings: [enc('I', 'D5 ib', r('imm8'), not64)],
  undefinedFlags: ['CF', 'OF', 'AF'],
  semantics(e, operand) {
    const ax = e.readRegister(RAX, 16);
    const upper = e.truncate(e.shift('shr', ax, byte(e, 8)), 8);
    const result = e.binary('add', e.truncate(ax, 8), e.binary('mul', upper, e.read(operand!)));
    e.writeRegister(RAX, e.zeroExtend(result, 16));
    e.statusFlags('logic', result, result, result);
  },
});

export const DECIMAL: readonly Instruction[] = [AAA, AAS, DAA, DAS, AAM, AAD];
