/** What some instructions need of their operands so that cases show more than a fault. */
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import { LAYOUT } from './native/address-space.ts';
import { overriddenBase } from './prefixes.ts';
import type { Random } from './random.ts';
import { pickTarget, type TestCode, USER_ADDRESSES } from './test-case.ts';

interface Preparation {
  readonly random: Random;
  readonly code: TestCode;
  readonly registers: BigUint64Array;
  readonly memory: Uint8Array;
  /** Where the operand in memory is going to be. */
  readonly target: number;
  /** Sets the base register of that operand. */
  readonly place: () => void;
}

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;

const STACK = /^(PUSH|POP|CALL|RET|LEAVE)/;
const BIT_TEST = /^BT[SRC]?$/;
const SHIFT = /^(RO|RC|SA|SH)[LR][DX]?$/;

export function prepareOperands(preparation: Preparation): void {
  const { random, code, place } = preparation;
  const { mnemonic } = code.variant.instruction;
  const { encoding } = code.variant;
  relate(preparation);
  if (SHIFT.test(mnemonic) && random.chance(2)) prepareCount(preparation);
  if (BIT_TEST.test(mnemonic)) prepareBitOffset(preparation);
  if (encoding.opcode.vex && !random.chance(4)) prepareField(preparation);
  if (encoding.addressed) prepareImplied(preparation);
  place();
  if (random.chance(3)) prepareMemoryOperand(preparation);
  if (/^I?DIV$/.test(mnemonic) && !random.chance(8)) prepareDividend(preparation);
  if (mnemonic.startsWith('CMPXCHG') && random.chance(2)) prepareComparison(preparation);
  // Either may have changed the operand's base or index.
  place();
  prepareControlTransfer(preparation);
}

/** Operands that are the same, opposite or next to each other: where results become zero, and carries end. */
function relate({ random, code, registers }: Preparation): void {
  if (!random.chance(6)) return;
  const { register, rm, vvvv } = code.choice;
  const from = random.pick([RAX, register, typeof rm === 'number' ? rm : vvvv]);
  const to = random.pick([RAX, RDX, register, typeof rm === 'number' ? rm : register]);
  const value = registers[from]!;
  if (to !== RSP) registers[to] = random.pick([value, -value, ~value, value + 1n, value - 1n]);
}

/** At each width, beside it and beyond it: a byte. */
function edgeCount(random: Random): bigint {
  const width = random.pick([0, 8, 9, 16, 17, 32, 33, 64]);
  return BigInt(Math.max(0, width + random.below(3) - 1) | (random.chance(4) ? 0x80 : 0));
}

function prepareCount({ random, code, registers }: Preparation): void {
  const number = code.variant.encoding.opcode.vex ? code.choice.vvvv : RCX;
  if (number !== RSP) registers[number] = (registers[number]! & ~0xffn) | edgeCount(random);
}

export function chooseImmediate(random: Random, { instruction }: Variant): bigint {
  return SHIFT.test(instruction.mnemonic) && random.chance(2) ? edgeCount(random) : random.operand();
}

/** Else what is in memory would have no liking for edges. */
function prepareMemoryOperand({ random, code, registers, memory, target }: Preparation): void {
  const value = random.chance(3) ? registers[code.choice.register]! : random.operand();
  const offset = target - code.window.gva;
  for (let at = 0; at < 8; at++)
    if (offset + at >= 0 && offset + at < memory.length)
      memory[offset + at] = Number((value >> BigInt(8 * at)) & 0xffn);
}

/** An offset in a register that stays in the window, mostly, of its lower bits: the upper ones are not looked at. */
function prepareBitOffset({ random, code, registers, target }: Preparation): void {
  const { choice, window } = code;
  if (typeof choice.rm === 'number' || choice.register === RSP || random.chance(32)) return;
  const least = (window.gva - target) * 8;
  const most = (window.gva + window.lengthBytes - 8 - target) * 8;
  const offset = BigInt(least + random.below(Math.max(1, most - least)));
  const { operandBits } = choice;
  if (operandBits === 64) registers[choice.register] = BigInt.asUintN(64, offset);
  else
    registers[choice.register] =
      BigInt.asUintN(operandBits, offset) | BigInt.asUintN(64, random.next() << BigInt(operandBits));
}

/** Small counts and places. */
function prepareField({ random, code, registers }: Preparation): void {
  const field = BigInt(random.below(80) | (random.below(80) << 8));
  registers[code.choice.vvvv] = (registers[code.choice.vvvv]! & ~0xffffn) | field;
}

/** Strings and XLAT's table are in the window, mostly. */
function prepareImplied({ random, code, registers }: Preparation): void {
  const { window, variant } = code;
  const overridden = overriddenBase(code.choice.segment, code.segmentBases);
  if (variant.instruction.mnemonic === 'XLAT') {
    registers[RBX] = BigInt(pickTarget(random, window) - overridden) - (registers[RAX]! & 0xffn);
  } else if (!variant.encoding.forces64) {
    registers[RSI] = BigInt(pickTarget(random, window) - overridden);
    registers[RDI] = BigInt(pickTarget(random, window));
  }
  if (!random.chance(4)) registers[RCX] = BigInt(random.below(5));
}

function readOperand({ code, registers, memory, target }: Preparation, bits: number): bigint {
  const { rm, forceRex } = code.choice;
  if (typeof rm === 'object') {
    const offset = target - code.window.gva;
    let value = 0n;
    for (let at = bits / 8 - 1; at >= 0; at--) value = (value << 8n) | BigInt(memory[offset + at] ?? 0);
    return value;
  }
  const isHighByte = bits === 8 && rm >= 4 && rm < 8 && !forceRex;
  return BigInt.asUintN(bits, isHighByte ? registers[rm - 4]! >> 8n : registers[rm]!);
}

/** The upper half is less than the divisor, so that most quotients fit. */
function prepareDividend(preparation: Preparation): void {
  const { code, registers, random } = preparation;
  const { encoding, instruction } = code.variant;
  const bits = encoding.operands[0]!.width === 8 ? 8 : code.choice.operandBits;
  const divisor = readOperand(preparation, bits);
  if (divisor === 0n) return;
  const high = bits === 8 ? (registers[RAX]! >> 8n) & 0xffn : BigInt.asUintN(bits, registers[RDX]!);
  const signed = BigInt.asIntN(bits, divisor);
  const limit = instruction.mnemonic === 'DIV' ? divisor : (signed < 0n ? -signed : signed) / 2n + 1n;
  // Now and then at the very end of what fits, or right behind it.
  let reduced = random.chance(6) ? limit - BigInt(random.below(3)) : high % limit;
  reduced = reduced < 0n ? 0n : reduced;
  if (instruction.mnemonic === 'IDIV' && random.chance(2)) reduced = BigInt.asUintN(bits, -reduced);
  if (bits === 8) registers[RAX] = (registers[RAX]! & ~0xff00n) | (reduced << 8n);
  else registers[RDX] = (registers[RDX]! & ~BigInt.asUintN(bits, -1n)) | reduced;
}

/** The comparison finds what it expects. */
function prepareComparison(preparation: Preparation): void {
  const { code, registers } = preparation;
  const { encoding, instruction } = code.variant;
  const { width } = encoding.operands[0]!;
  if (instruction.mnemonic === 'CMPXCHG') {
    const bits = width === 8 ? 8 : code.choice.operandBits;
    const mask = BigInt.asUintN(bits, -1n);
    registers[RAX] = (registers[RAX]! & ~mask) | readOperand(preparation, bits);
  } else {
    const whole = readOperand(preparation, width as number);
    const half = (width as number) / 2;
    registers[RAX] = BigInt.asUintN(half, whole);
    registers[RDX] = whole >> BigInt(half);
  }
}

/** An address that is canonical, little-endian: its upper bytes are 0. */
const HIGH_BYTES = [5, 6, 7];

/** The stack is in the data, mostly; and where an indirect jump goes is canonical, for vendors differ about others. */
function prepareControlTransfer(preparation: Preparation): void {
  const { random, code, registers, memory } = preparation;
  const { instruction, encoding } = code.variant;
  const { rm } = code.choice;
  let { target } = preparation;
  if (STACK.test(instruction.mnemonic) && (typeof rm === 'number' || rm.base !== RSP)) {
    const stack = random.chance(16) ? LAYOUT.dataGva + random.below(4) : pickTarget(random, code.window);
    registers[instruction.mnemonic === 'LEAVE' ? RBP : RSP] = BigInt(stack);
    if (typeof rm === 'number') target = stack;
  }
  if (!encoding.forces64) return;
  for (const byte of HIGH_BYTES) {
    const at = target + byte - code.window.gva;
    if (at >= 0 && at < memory.length) memory[at] = 0;
  }
  if (typeof rm === 'number' && rm !== RSP) registers[rm] = registers[rm]! & USER_ADDRESSES;
}
