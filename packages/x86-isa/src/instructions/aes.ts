/** AES (Intel SDM Vol. 2A "AESENC—Perform One Round of an AES Encryption Flow" and its like), by the steps of FIPS 197 §5 "Algorithm Specification". */
import type { Builder, Value } from '../builder.ts';
import { enc, type Instruction, instruction } from '../instruction.ts';
import { r, w } from '../operand.ts';
import { lanesOf, repeated, xmmRow, xmmUnaryRow } from './sse-rows.ts';

/** Times x in GF(2^8), whose modulus is x^8 + x^4 + x^3 + x + 1. */
const MODULUS = 0x1b;
const double = (x: number): number => ((x << 1) ^ (x & 0x80 ? MODULUS : 0)) & 0xff;

function multiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 0, power = a; bit < 8; bit++, power = double(power)) if ((b >> bit) & 1) product ^= power;
  return product;
}

/** FIPS 197 §5.1.1 "SUBBYTES() Transformation": the inverse, then an affine transformation. */
function substitution(): number[] {
  const rotate = (x: number, count: number) => ((x << count) | (x >> (8 - count))) & 0xff;
  return Array.from({ length: 256 }, (_, x) => {
    let inverse = x;
    // x^254 = 1/x.
    for (let step = 0; step < 6; step++) inverse = multiply(multiply(inverse, inverse), x);
    inverse = multiply(inverse, inverse);
    return inverse ^ rotate(inverse, 1) ^ rotate(inverse, 2) ^ rotate(inverse, 3) ^ rotate(inverse, 4) ^ 0x63;
  });
}

const S_BOX = substitution();
const INVERSE_S_BOX = Array.from({ length: 256 }, (_, x) => S_BOX.indexOf(x));

/** Each byte by a table of 256: sixteen at a time, of which those have places that are in this part of the table. */
function substitute({ vector }: Builder, a: Value, table: readonly number[]): Value {
  let result = vector.constant(0n);
  let places = a;
  for (let first = 0; first < 256; first += 16) {
    const part = vector.constant(lanesOf(8, table.slice(first, first + 16)));
    result = vector.binary('v128.or', result, vector.binary('i8x16.swizzle', part, places));
    places = vector.binary('i8x16.sub', places, vector.constant(repeated(8, 16)));
  }
  return result;
}

/** Row r moves by r columns; columns are of four bytes. */
function shiftRows({ vector }: Builder, a: Value, direction: 1 | -1): Value {
  const places = Array.from({ length: 16 }, (_, at) => {
    const [row, column] = [at % 4, Math.floor(at / 4)];
    return row + 4 * ((column + direction * row + 4) % 4);
  });
  return vector.shuffle(a, a, places);
}

function times2(e: Builder, a: Value): Value {
  const { vector } = e;
  const carries = vector.shift('i8x16.shr_s', a, e.constant(32, 7));
  const reduced = vector.binary('v128.and', carries, vector.constant(repeated(8, MODULUS)));
  return vector.binary('v128.xor', vector.binary('i8x16.add', a, a), reduced);
}

/** Columns turned by some rows. */
function turn({ vector }: Builder, a: Value, rows: number): Value {
  const places = Array.from({ length: 16 }, (_, at) => at - (at % 4) + ((at + rows) % 4));
  return vector.shuffle(a, a, places);
}

/** FIPS 197 §5.1.3 "MIXCOLUMNS() Transformation": 2, 3, 1, 1. */
function mixColumns(e: Builder, a: Value): Value {
  const xor = (x: Value, y: Value) => e.vector.binary('v128.xor', x, y);
  const next = turn(e, a, 1);
  return xor(xor(times2(e, xor(a, next)), next), xor(turn(e, a, 2), turn(e, a, 3)));
}

/** §5.3.3 "INVMIXCOLUMNS() Transformation", whose factors 14, 11, 13, 9 are 2, 3, 1, 1 times 5, 0, 4, 0. */
function inverseMixColumns(e: Builder, a: Value): Value {
  const xor = (x: Value, y: Value) => e.vector.binary('v128.xor', x, y);
  return mixColumns(e, xor(a, times2(e, times2(e, xor(a, turn(e, a, 2))))));
}

const round = (mnemonic: string, opcode: string, compute: (e: Builder, a: Value) => Value): Instruction =>
  xmmRow([mnemonic, opcode, (e, a, key) => e.vector.binary('v128.xor', compute(e, a), key)], 'AES');

const encrypt = (e: Builder, a: Value): Value => substitute(e, shiftRows(e, a, 1), S_BOX);
const decrypt = (e: Builder, a: Value): Value => substitute(e, shiftRows(e, a, -1), INVERSE_S_BOX);

/** Intel SDM Vol. 2A "AESKEYGENASSIST—AES Round Key Generation Assist": of doublewords 1 and 3, and each turned, plus the immediate. */
const AESKEYGENASSIST = instruction('AESKEYGENASSIST', {
  encodings: [enc('RMI', '66 0F 3A DF /r ib', w('x'), r('xm128'), r('imm8'))],
  feature: 'AES',
  semantics(e, destination, source, immediate) {
    const { vector } = e;
    const words = substitute(e, e.read(source!), S_BOX);
    const picked = vector.shuffle(words, words, [4, 5, 6, 7, 5, 6, 7, 4, 12, 13, 14, 15, 13, 14, 15, 12]);
    const constant = vector.splat('i32x4', e.zeroExtend(e.read(immediate!), 32));
    const odd = vector.binary('v128.and', constant, vector.constant(repeated(64, 0xffn << 32n)));
    e.write(destination!, vector.binary('v128.xor', picked, odd));
  },
});

export const AES: readonly Instruction[] = [
  round('AESENC', '0F 38 DC', (e, a) => mixColumns(e, encrypt(e, a))),
  round('AESENCLAST', '0F 38 DD', encrypt),
  round('AESDEC', '0F 38 DE', (e, a) => inverseMixColumns(e, decrypt(e, a))),
  round('AESDECLAST', '0F 38 DF', decrypt),
  xmmUnaryRow('AESIMC', '66 0F 38 DB', 'AES', inverseMixColumns),
  AESKEYGENASSIST,
];
