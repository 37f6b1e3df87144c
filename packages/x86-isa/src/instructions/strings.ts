/**
 * String instructions and their repetition (Intel SDM Vol. 1 §7.3.9 "String Instructions"). One handler run is one
 * iteration: between two, interrupts are taken and RIP is still the instruction's, as the manual has it (Vol. 2B
 * "REP/REPE/REPZ/REPNE/REPNZ—Repeat String Operation Prefix").
 */
import type { Builder, Value } from '../builder.ts';
import { addressed, enc, type Instruction, instruction, repeatable } from '../instruction.ts';

const RAX = 0;
const RCX = 1;
const RSI = 6;
const RDI = 7;

type Bits = 8 | 16 | 32 | 64;
/** Does one iteration; what it returns says whether to go on, apart from the count. */
type Iteration = (e: Builder, bits: Bits) => Value | undefined;

function string(mnemonic: string, opcode: number, iterate: Iteration, bulk?: Bulk): Instruction[] {
  const notation = (byte: number) => byte.toString(16).toUpperCase();
  const define = (byte: number, bitsOf: (e: Builder) => Bits) =>
    instruction(mnemonic, {
      encodings: [enc('ZO', notation(byte), addressed, repeatable)],
      semantics: (e) =>
        repeated(e, { iterate: () => iterate(e, bitsOf(e)), bits: bitsOf(e), ...(bulk && { bulk }) }),
    });
  return [define(opcode, () => 8), define(opcode + 1, (e) => e.operandBits)];
}

/** What many iterations at once are, and what moves with them. */
interface Bulk {
  readonly what: 'fill' | 'copy';
  readonly registers: readonly number[];
}

interface Repetition {
  readonly iterate: () => Value | undefined;
  readonly bits: Bits;
  readonly bulk?: Bulk;
}

function repeated(e: Builder, repetition: Repetition): void {
  const { iterate, bits, bulk } = repetition;
  if (e.repeat === 'none') {
    iterate();
    return;
  }
  const count = e.readRegister(RCX, e.addressBits);
  const one = () => goOn(e, count, e.constant(count.bits, 1), iterate());
  e.if(e.compare('ne', count, e.constant(count.bits, 0)), () => {
    if (bulk === undefined || e.addressBits !== 64 || e.repeat !== 'rep') one();
    else atOnce(e, { bulk, bits, count }, one);
  });
}

/** As many as can be, or one. */
function atOnce(
  e: Builder,
  { bulk, bits, count }: { bulk: Bulk; bits: Bits; count: Value },
  one: () => void,
): void {
  const done = e.bulk(bulk.what, bits);
  e.if(
    e.compare('ne', done, e.constant(64, 0)),
    () => {
      const step = e.shift('shl', done, e.constant(64, Math.log2(bits / 8)));
      for (const register of bulk.registers)
        e.writeRegister(register, e.binary('add', e.readRegister(register, 64), step));
      goOn(e, count, done, undefined);
    },
    one,
  );
}

function goOn(e: Builder, count: Value, done: Value, condition: Value | undefined): void {
  const left = e.binary('sub', count, done);
  e.writeRegister(RCX, left);
  const isLeft = e.compare('ne', left, e.constant(left.bits, 0));
  e.if(condition ? e.binary('and', isLeft, condition) : isLeft, () => e.again());
}

/** Moves RSI or RDI on, by DF forwards or backwards. */
function advance(e: Builder, register: number, bits: Bits): void {
  const at = e.readRegister(register, e.addressBits);
  const step = e.constant(at.bits, bits / 8);
  const backwards = e.binary('sub', at, step);
  e.writeRegister(register, e.select(e.directionFlag(), backwards, e.binary('add', at, step)));
}

const source = (e: Builder, bits: Bits) => e.loadString('source', e.readRegister(RSI, e.addressBits), bits);
const destination = (e: Builder, bits: Bits) =>
  e.loadString('destination', e.readRegister(RDI, e.addressBits), bits);

/** REPE goes on while ZF is set, REPNE while it is clear. */
function whileEqual(e: Builder): Value | undefined {
  if (e.repeat === 'none') return undefined;
  return e.condition(e.repeat === 'rep' ? 4 : 5);
}

/** Intel SDM Vol. 2B "MOVS/MOVSB/MOVSW/MOVSD/MOVSQ—Move Data From String to String". */
const MOVS = string(
  'MOVS',
  0xa4,
  (e, bits) => {
    e.storeString(e.readRegister(RDI, e.addressBits), source(e, bits));
    advance(e, RSI, bits);
    advance(e, RDI, bits);
    return undefined;
  },
  { what: 'copy', registers: [RSI, RDI] },
);

/** Intel SDM Vol. 2A "CMPS/CMPSB/CMPSW/CMPSD/CMPSQ—Compare String Operands". */
const CMPS = string('CMPS', 0xa6, (e, bits) => {
  const a = source(e, bits);
  const b = destination(e, bits);
  e.statusFlags('sub', a, b, e.binary('sub', a, b));
  advance(e, RSI, bits);
  advance(e, RDI, bits);
  return whileEqual(e);
});

/** Intel SDM Vol. 2B "STOS/STOSB/STOSW/STOSD/STOSQ—Store String". */
const STOS = string(
  'STOS',
  0xaa,
  (e, bits) => {
    e.storeString(e.readRegister(RDI, e.addressBits), e.readRegister(RAX, bits));
    advance(e, RDI, bits);
    return undefined;
  },
  { what: 'fill', registers: [RDI] },
);

/** Intel SDM Vol. 2A "LODS/LODSB/LODSW/LODSD/LODSQ—Load String". */
const LODS = string('LODS', 0xac, (e, bits) => {
  e.writeRegister(RAX, source(e, bits));
  advance(e, RSI, bits);
  return undefined;
});

/** Intel SDM Vol. 2B "SCAS/SCASB/SCASW/SCASD—Scan String". */
const SCAS = string('SCAS', 0xae, (e, bits) => {
  const a = e.readRegister(RAX, bits);
  const b = destination(e, bits);
  e.statusFlags('sub', a, b, e.binary('sub', a, b));
  advance(e, RDI, bits);
  return whileEqual(e);
});

export const STRINGS: readonly Instruction[] = [...MOVS, ...CMPS, ...STOS, ...LODS, ...SCAS];
