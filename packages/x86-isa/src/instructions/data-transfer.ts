/** Moves between registers and memory (Intel SDM Vol. 1 §7.3.1 "Data Transfer Instructions"). */
import { enc, type Instruction, instruction, lockable, locks, only64, withoutRexB } from '../instruction.ts';
import { address, r, rw, w } from '../operand.ts';
import { byCondition } from './conditions.ts';

/** Intel SDM Vol. 2B "MOV—Move". Segment, control and debug registers have definitions of their own. */
export const MOV = instruction('MOV', {
  encodings: [
    enc('MR', '88 /r', w('rm8'), r('r8')),
    enc('MR', '89 /r', w('rmv'), r('rv')),
    enc('RM', '8A /r', w('r8'), r('rm8')),
    enc('RM', '8B /r', w('rv'), r('rmv')),
    enc('FD', 'A0', w('al'), r('moffs8')),
    enc('FD', 'A1', w('av'), r('moffsv')),
    enc('TD', 'A2', w('moffs8'), r('al')),
    enc('TD', 'A3', w('moffsv'), r('av')),
    enc('OI', 'B0 +r ib', w('o8'), r('imm8')),
    enc('OI', 'B8 +r iv', w('ov'), r('immv')),
    enc('MI', 'C6 /0 ib', w('rm8'), r('imm8')),
    enc('MI', 'C7 /0 iz', w('rmv'), r('immz')),
  ],
  semantics(e, destination, source) {
    e.write(destination!, e.read(source!));
  },
});

/** Intel SDM Vol. 2B "MOVZX—Move With Zero-Extend". */
export const MOVZX = instruction('MOVZX', {
  encodings: [enc('RM', '0F B6 /r', w('rv'), r('rm8')), enc('RM', '0F B7 /r', w('rv'), r('rm16'))],
  semantics(e, destination, source) {
    e.write(destination!, e.zeroExtend(e.read(source!), destination!.bits));
  },
});

/** Intel SDM Vol. 2B "MOVSX/MOVSXD—Move With Sign-Extension". */
export const MOVSX = instruction('MOVSX', {
  encodings: [enc('RM', '0F BE /r', w('rv'), r('rm8')), enc('RM', '0F BF /r', w('rv'), r('rm16'))],
  semantics(e, destination, source) {
    e.write(destination!, e.signExtend(e.read(source!), destination!.bits));
  },
});

/** The same page. Without REX.W it moves 32 bits, or 16. */
export const MOVSXD = instruction('MOVSXD', {
  encodings: [enc('RM', '63 /r', w('rv'), r('rm32'), only64)],
  semantics(e, destination, source) {
    const value = e.read(source!);
    const { bits } = destination!;
    e.write(destination!, bits === 64 ? e.signExtend(value, 64) : e.truncate(value, bits));
  },
});

/** Intel SDM Vol. 2A "LEA—Load Effective Address". */
export const LEA = instruction('LEA', {
  encodings: [enc('RM', '8D /r', w('rv'), address('m'))],
  semantics(e, destination, source) {
    const gva = e.addressOf(source!);
    const { bits } = destination!;
    e.write(destination!, gva.bits < bits ? e.zeroExtend(gva, bits) : e.truncate(gva, bits));
  },
});

/** Intel SDM Vol. 2B "NOP—No Operation". Before XCHG in the table, whose register 0 it would be. */
export const NOP = instruction('NOP', {
  encodings: [enc('ZO', '90', withoutRexB), enc('M', '0F 1F /r', address('rmv'))],
  semantics() {},
});

/** Intel SDM Vol. 2B "PAUSE—Spin Loop Hint". */
export const PAUSE = instruction('PAUSE', { encodings: [enc('ZO', 'F3 90', withoutRexB)], semantics() {} });

/** Intel SDM Vol. 2D "XCHG—Exchange Register/Memory With Register". With memory it locks, whether told to or not. */
export const XCHG = instruction('XCHG', {
  encodings: [
    enc('MR', '86 /r', rw('rm8'), rw('r8'), lockable, locks),
    enc('MR', '87 /r', rw('rmv'), rw('rv'), lockable, locks),
    enc('O', '90 +r', rw('ov'), rw('av')),
  ],
  semantics(e, first, second) {
    const a = e.read(first!);
    const b = e.read(second!);
    e.write(first!, b);
    e.write(second!, a);
  },
});

/** Intel SDM Vol. 2A "CBW/CWDE/CDQE—Convert Byte to Word/Convert Word to Doubleword/Convert Doubleword to Quadword". */
export const CBW = instruction('CBW', {
  encodings: [enc('ZO', '98')],
  semantics(e) {
    const bits = e.operandBits;
    const half = e.readRegister(0, bits === 64 ? 32 : bits === 32 ? 16 : 8);
    e.writeRegister(0, e.signExtend(half, bits));
  },
});

/** Intel SDM Vol. 2A "CWD/CDQ/CQO—Convert Word to Doubleword/Convert Doubleword to Quadword". */
export const CWD = instruction('CWD', {
  encodings: [enc('ZO', '99')],
  semantics(e) {
    const bits = e.operandBits;
    e.writeRegister(2, e.shift('sar', e.readRegister(0, bits), e.constant(8, bits - 1)));
  },
});

/** Intel SDM Vol. 2A "CMOVcc—Conditional Move". The source is read, and may fault, whatever the condition. */
export const CMOV = byCondition((name, condition, digit) =>
  instruction(`CMOV${name}`, {
    encodings: [enc('RM', `0F 4${digit} /r`, rw('rv'), r('rmv'))],
    feature: 'CMOV',
    semantics(e, destination, source) {
      const moved = e.read(source!);
      e.write(destination!, e.select(e.condition(condition), moved, e.read(destination!)));
    },
  }),
);

/** Intel SDM Vol. 2B "SETcc—Set Byte on Condition". ModRM.reg is not looked at. */
export const SET = byCondition((name, condition, digit) =>
  instruction(`SET${name}`, {
    encodings: [enc('M', `0F 9${digit} /r`, w('rm8'))],
    semantics(e, destination) {
      e.write(destination!, e.zeroExtend(e.condition(condition), 8));
    },
  }),
);

export const DATA_TRANSFER: readonly Instruction[] = [
  ...[MOV, MOVZX, MOVSX, MOVSXD, LEA, NOP, PAUSE, XCHG, CBW, CWD],
  ...CMOV,
  ...SET,
];
