/** Bit manipulation, mostly VEX-encoded: BMI1 and BMI2 (Intel SDM Vol. 1 §5.1.16 "BMI1 and BMI2 Instructions"). */
import type { BinaryOperation, Builder, Operand, ShiftOperation, Value } from '../builder.ts';
import { enc, type Feature, type Instruction, instruction } from '../instruction.ts';
import { r, w } from '../operand.ts';

const RDX = 2;
const zeroOf = (e: Builder, { bits }: Value) => e.constant(bits, 0);
const isZero = (e: Builder, value: Value) => e.compare('eq', value, zeroOf(e, value));
const clear = (e: Builder) => e.constant(1, 0);
const lowByte = (e: Builder, value: Value) => e.truncate(value, 8);

type Semantics = (e: Builder, destination: Operand, second: Operand, third: Operand) => void;

function vex(mnemonic: string, notation: string, feature: Feature, semantics: Semantics) {
  // In opcode F7, what is in ModRM.rm comes before what is in VEX.vvvv; elsewhere it is the other way round.
  const [encoding, operands] = / F7 /.test(notation)
    ? ['RMV', [w('ry'), r('rmy'), r('vy')]]
    : ['RVM', [w('ry'), r('vy'), r('rmy')]];
  return instruction(mnemonic, {
    encodings: [enc(encoding as string, notation, ...(operands as ReturnType<typeof r>[]))],
    feature,
    undefinedFlags: ['AF', 'PF', ...(mnemonic === 'BEXTR' ? (['SF'] as const) : [])],
    semantics: (e, destination, second, third) => semantics(e, destination!, second!, third!),
  });
}

/** Intel SDM Vol. 2A "ANDN—Logical AND NOT". */
export const ANDN = vex('ANDN', 'VEX.LZ.NP.0F38 F2 /r', 'BMI1', (e, destination, inverted, source) => {
  const result = e.binary('and', e.not(e.read(inverted)), e.read(source));
  e.write(destination, result);
  e.statusFlags('logic', result, result, result);
});

/** Intel SDM Vol. 2A "BEXTR—Bit Field Extract". The start is in bits 7 to 0, the length in bits 15 to 8. */
export const BEXTR = vex('BEXTR', 'VEX.LZ.NP.0F38 F7 /r', 'BMI1', (e, destination, source, field) => {
  const value = e.read(source);
  const { bits } = value;
  const control = e.read(field);
  const start = e.binary('and', control, e.constant(bits, 0xff));
  const length = e.binary('and', e.shift('shr', control, e.constant(8, 8)), e.constant(bits, 0xff));
  const width = e.constant(bits, bits);
  const zero = zeroOf(e, value);
  const shifted = e.select(e.compare('ltU', start, width), e.shift('shr', value, start), zero);
  const result = e.select(e.compare('ltU', length, width), lowBits(e, shifted, length), shifted);
  e.write(destination, result);
  // SF is undefined, and AMD clears it.
  const ones = e.count('popcnt', lowByte(e, result));
  const PF = e.not(e.truncate(ones, 1));
  const flags = { CF: clear(e), OF: clear(e), SF: clear(e), AF: e.constant(1, 1) };
  e.setFlags({ ...flags, PF, ZF: isZero(e, result) });
});

/** The lowest `count` bits, less than all. */
function lowBits(e: Builder, value: Value, count: Value): Value {
  const ones = e.constant(value.bits, -1n);
  return e.binary('and', value, e.not(e.shift('shl', ones, count)));
}

/** Intel SDM Vol. 2A "BZHI—Zero High Bits Starting with Specified Bit Position". CF: there is no such position. */
export const BZHI = instruction('BZHI', {
  encodings: [enc('RMV', 'VEX.LZ.NP.0F38 F5 /r', w('ry'), r('rmy'), r('vy'))],
  feature: 'BMI2',
  undefinedFlags: ['AF', 'PF'],
  semantics(e, destination, source, index) {
    const value = e.read(source!);
    const { bits } = value;
    const position = e.binary('and', e.read(index!), e.constant(bits, 0xff));
    const isInside = e.compare('ltU', position, e.constant(bits, bits));
    const result = e.select(isInside, lowBits(e, value, position), value);
    e.write(destination!, result);
    e.resultFlags(result, { CF: e.not(isInside), OF: clear(e) });
  },
});

/** The source and itself less or negated; CF: the source is 0, or is not. */
function lowest(mnemonic: string, digit: number, made: (e: Builder, source: Value) => Value) {
  return instruction(mnemonic, {
    encodings: [enc('VM', `VEX.LZ.NP.0F38 F3 /${digit}`, w('vy'), r('rmy'))],
    feature: 'BMI1',
    undefinedFlags: ['AF', 'PF'],
    semantics(e, destination, operand) {
      const source = e.read(operand!);
      const result = made(e, source);
      e.write(destination!, result);
      const CF = isZero(e, source);
      e.resultFlags(result, { CF: mnemonic === 'BLSI' ? e.not(CF) : CF, OF: clear(e) });
    },
  });
}

const withLess =
  (operation: BinaryOperation) =>
  (e: Builder, source: Value): Value =>
    e.binary(operation, source, e.binary('sub', source, e.constant(source.bits, 1)));

/** Intel SDM Vol. 2A "BLSR—Reset Lowest Set Bit", "BLSMSK—Get Mask Up to Lowest Set Bit", "BLSI—Extract Lowest Set Isolated Bit". */
export const BLSR = lowest('BLSR', 1, withLess('and'));
export const BLSMSK = lowest('BLSMSK', 2, withLess('xor'));
export const BLSI = lowest('BLSI', 3, (e, source) =>
  e.binary('and', source, e.binary('sub', zeroOf(e, source), source)),
);

/** Intel SDM Vol. 2B "MULX—Unsigned Multiply Without Affecting Flags". With one destination, the upper half stays. */
export const MULX = instruction('MULX', {
  encodings: [enc('RVM', 'VEX.LZ.F2.0F38 F6 /r', w('ry'), w('vy'), r('rmy'))],
  feature: 'BMI2',
  semantics(e, high, low, source) {
    const product = e.multiplyWide('unsigned', e.readRegister(RDX, high!.bits as 32 | 64), e.read(source!));
    e.write(low!, product.low);
    e.write(high!, product.high);
  },
});

/** Intel SDM Vol. 2B "PDEP—Parallel Bits Deposit", "PEXT—Parallel Bits Extract". */
export const PDEP = vex('PDEP', 'VEX.LZ.F2.0F38 F5 /r', 'BMI2', (e, destination, source, mask) =>
  e.write(destination, e.scatter(e.read(source), e.read(mask))),
);
export const PEXT = vex('PEXT', 'VEX.LZ.F3.0F38 F5 /r', 'BMI2', (e, destination, source, mask) =>
  e.write(destination, e.gather(e.read(source), e.read(mask))),
);

/** A count, modulo the operand's bits. */
function countOf(e: Builder, count: Value, bits: number): Value {
  return e.binary('and', lowByte(e, count), e.constant(8, bits - 1));
}

/** Intel SDM Vol. 2B "RORX—Rotate Right Logical Without Affecting Flags". */
export const RORX = instruction('RORX', {
  encodings: [enc('RMI', 'VEX.LZ.F2.0F3A F0 /r ib', w('ry'), r('rmy'), r('imm8'))],
  feature: 'BMI2',
  semantics(e, destination, source, count) {
    const value = e.read(source!);
    e.write(destination!, e.shift('rotr', value, countOf(e, e.read(count!), value.bits)));
  },
});

/** Intel SDM Vol. 2B "SARX/SHLX/SHRX—Shift Without Affecting Flags". */
const shiftWithoutFlags = (mnemonic: string, prefix: string, operation: ShiftOperation) =>
  vex(mnemonic, `VEX.LZ.${prefix}.0F38 F7 /r`, 'BMI2', (e, destination, source, count) => {
    const value = e.read(source);
    e.write(destination, e.shift(operation, value, countOf(e, e.read(count), value.bits)));
  });

export const BMI: readonly Instruction[] = [
  ...[ANDN, BEXTR, BZHI, BLSR, BLSMSK, BLSI, MULX, PDEP, PEXT, RORX],
  shiftWithoutFlags('SARX', 'F3', 'sar'),
  shiftWithoutFlags('SHLX', '66', 'shl'),
  shiftWithoutFlags('SHRX', 'F2', 'shr'),
];
