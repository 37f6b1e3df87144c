/** Bit tests, scans and counts (Intel SDM Vol. 1 §7.3.7 "Bit and Byte Instructions"). */
import type { Builder, Operand, Value } from '../builder.ts';
import { type Encoding, enc, type Instruction, instruction, lockable } from '../instruction.ts';
import { r, rw } from '../operand.ts';

/** The bit, its place in the operand that holds it, and that operand. */
interface Addressed {
  readonly operand: Operand;
  readonly place: Value;
}

/**
 * A register's offset into memory has a sign and goes beyond the operand; an immediate one and a register are modulo the
 * operand's bits (Intel SDM Vol. 2A §3.1.1.9 "Operation Section", Bit(BitBase, BitOffset)).
 */
function locate(e: Builder, base: Operand, offset: Operand): Addressed {
  const { bits } = base;
  const value = e.read(offset);
  const place = e.binary('and', value, e.constant(value.bits, bits - 1));
  if (!base.isMemory || offset.source === 'immediate') return { operand: base, place };
  const log = Math.log2(bits);
  const operands = e.shift('sar', e.signExtend(value, 64), e.constant(8, log));
  return { operand: e.displaced(base, e.shift('shl', operands, e.constant(8, log - 3))), place };
}

const bitEncodings = (opcode: string, digit: number, access: typeof r): Encoding[] => {
  const lock = access === rw ? lockable : {};
  return [
    enc('MR', `0F ${opcode} /r`, access('rmv'), r('rv'), lock),
    enc('MI', `0F BA /${digit} ib`, access('rmv'), r('imm8'), lock),
  ];
};

const UNDEFINED = ['OF', 'SF', 'AF', 'PF'] as const;

function bitInstruction(
  mnemonic: string,
  encodings: readonly Encoding[],
  changed?: (e: Builder, value: Value, mask: Value) => Value,
): Instruction {
  return instruction(mnemonic, {
    encodings,
    undefinedFlags: UNDEFINED,
    semantics(e, base, offset) {
      const { operand, place } = locate(e, base!, offset!);
      const value = e.read(operand);
      if (changed) {
        const mask = e.shift('shl', e.constant(value.bits, 1), place);
        e.write(operand, changed(e, value, mask));
      }
      e.setFlags({ CF: e.truncate(e.shift('shr', value, place), 1) });
    },
  });
}

/** Intel SDM Vol. 2A "BT—Bit Test". */
export const BT = bitInstruction('BT', bitEncodings('A3', 4, r));
/** Intel SDM Vol. 2A "BTS—Bit Test and Set". */
export const BTS = bitInstruction('BTS', bitEncodings('AB', 5, rw), (e, value, mask) =>
  e.binary('or', value, mask),
);
/** Intel SDM Vol. 2A "BTR—Bit Test and Reset". */
export const BTR = bitInstruction('BTR', bitEncodings('B3', 6, rw), (e, value, mask) =>
  e.binary('and', value, e.not(mask)),
);
/** Intel SDM Vol. 2A "BTC—Bit Test and Complement". */
export const BTC = bitInstruction('BTC', bitEncodings('BB', 7, rw), (e, value, mask) =>
  e.binary('xor', value, mask),
);

/** Above what PF looks at: makes a number that is not 0. */
const NOT_ZERO = 0x100;

/** Of 0, all of the destination stays, the upper half of a register too; flags as AMD has them: PF is the index's. */
const scan =
  (index: (e: Builder, source: Value) => Value) =>
  (e: Builder, destination?: Operand, operand?: Operand): void => {
    const source = e.read(operand!);
    const { bits } = source;
    const zero = e.constant(bits, 0);
    const found = index(e, source);
    const isFound = e.compare('ne', source, zero);
    e.if(isFound, () => e.write(destination!, found));
    const result = e.select(isFound, e.binary('or', found, e.constant(bits, NOT_ZERO)), zero);
    e.statusFlags('logic', zero, zero, result);
  };

const SCAN_UNDEFINED = ['CF', ...UNDEFINED] as const;

/** Intel SDM Vol. 2A "BSF—Bit Scan Forward". */
export const BSF = instruction('BSF', {
  encodings: [enc('RM', '0F BC /r', rw('rv'), r('rmv'))],
  undefinedFlags: SCAN_UNDEFINED,
  semantics: scan((e, source) => e.count('ctz', source)),
});

/** Intel SDM Vol. 2A "BSR—Bit Scan Reverse". */
export const BSR = instruction('BSR', {
  encodings: [enc('RM', '0F BD /r', rw('rv'), r('rmv'))],
  undefinedFlags: SCAN_UNDEFINED,
  semantics: scan((e, source) =>
    e.binary('sub', e.constant(source.bits, source.bits - 1), e.count('clz', source)),
  ),
});

/** Intel SDM Vol. 2B "POPCNT—Return the Count of Number of Bits Set to 1". */
export const POPCNT = instruction('POPCNT', {
  encodings: [enc('RM', 'F3 0F B8 /r', rw('rv'), r('rmv'))],
  feature: 'POPCNT',
  semantics(e, destination, operand) {
    const source = e.read(operand!);
    const zero = e.constant(source.bits, 0);
    e.write(destination!, e.count('popcnt', source));
    const clear = e.constant(1, 0);
    const ZF = e.compare('eq', source, zero);
    e.setFlags({ CF: clear, OF: clear, AF: clear, SF: clear, PF: clear, ZF });
  },
});

/** CF: the source is 0; ZF: the result is. The others are undefined; AMD leaves OF and clears the rest. */
const countZeros =
  (what: 'clz' | 'ctz') =>
  (e: Builder, destination?: Operand, operand?: Operand): void => {
    const source = e.read(operand!);
    const zero = e.constant(source.bits, 0);
    const result = e.count(what, source);
    e.write(destination!, result);
    const clear = e.constant(1, 0);
    const flags = { CF: e.compare('eq', source, zero), ZF: e.compare('eq', result, zero) };
    e.setFlags({ ...flags, AF: clear, SF: clear, PF: clear });
  };

/** Intel SDM Vol. 2B "TZCNT—Count the Number of Trailing Zero Bits". Without BMI1 it would be BSF. */
export const TZCNT = instruction('TZCNT', {
  encodings: [enc('RM', 'F3 0F BC /r', rw('rv'), r('rmv'))],
  feature: 'BMI1',
  undefinedFlags: UNDEFINED,
  semantics: countZeros('ctz'),
});

/** Intel SDM Vol. 2A "LZCNT—Count the Number of Leading Zero Bits". Without it it would be BSR. */
export const LZCNT = instruction('LZCNT', {
  encodings: [enc('RM', 'F3 0F BD /r', rw('rv'), r('rmv'))],
  feature: 'LZCNT',
  undefinedFlags: UNDEFINED,
  semantics: countZeros('clz'),
});

export const BITS: readonly Instruction[] = [BT, BTS, BTR, BTC, BSF, BSR, POPCNT, TZCNT, LZCNT];
