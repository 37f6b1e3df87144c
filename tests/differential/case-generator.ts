/** Instructions with operands, from a seed: every encoding, size and kind of operand of the table. */
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import { type Choice, encode, type MemoryOperand } from './instruction-encoder.ts';
import { LAYOUT } from './native/address-space.ts';
import type { Random } from './random.ts';

export interface TestCase {
  readonly code: Uint8Array;
  readonly registers: BigUint64Array;
  readonly rflags: bigint;
  /** At the start of the data. */
  readonly memory: Uint8Array;
}

/** CF, PF, AF, ZF, SF, OF. */
const STATUS_FLAGS = 0x8d5n;
const MEMORY_BYTES = 128;
const RSP = 4;
const RBP = 5;
const USER_ADDRESSES = 0x7fff_ffff_ffffn;

export function generate(random: Random, variant: Variant): TestCase {
  const registers = BigUint64Array.from({ length: 16 }, () => random.operand());
  // Some hypervisors do not go on with a stack pointer that is not canonical.
  registers[RSP] = random.operand() & USER_ADDRESSES;
  const isMemory = variant.rm !== undefined && variant.rm !== 'register';
  const addressBits = variant.rm === 'memory32' ? 32 : 64;
  const target = isMemory ? pickTarget(random, usualAlignment(variant)) : 0;
  const usesOffset = variant.encoding.operands.some(({ source }) => source === 'offset');
  const rm = isMemory && !usesOffset ? pickForm(random) : random.below(16);
  const draft: Choice = {
    ...{ encoding: variant.encoding, operandBits: variant.operandBits, addressBits, lock: variant.lock },
    ...{ register: random.below(16), rm, forceRex: random.chance(3) },
    immediate: usesOffset ? BigInt(target) : random.operand(),
  };
  const choice = typeof rm === 'object' ? aim(draft, rm, registers, target, random) : draft;
  const memory = Uint8Array.from({ length: MEMORY_BYTES }, () => Number(random.next() & 0xffn));
  prepareControlTransfer(variant, choice, registers, memory, target, random);
  return {
    code: encode(choice),
    registers,
    rflags: (random.next() & STATUS_FLAGS) | 0x202n,
    memory,
  };
}

/** Operands of 128 bits must be aligned, mostly; of others that is not looked at. */
function usualAlignment({ encoding }: Variant): number {
  return encoding.operands.some(({ width }) => width === 128) ? 16 : 1;
}

/** Mostly in the data, some across its pages, read-only, or where nothing is. */
function pickTarget(random: Random, alignment = 1): number {
  switch (random.below(16)) {
    case 0:
      return LAYOUT.dataGva + 4096 - random.below(9);
    case 1:
      return LAYOUT.readonlyGva + random.below(64);
    case 2:
      return LAYOUT.unmappedGva + random.below(64);
    default: {
      const offset = random.below(MEMORY_BYTES - 16);
      return LAYOUT.dataGva + (alignment === 1 || random.chance(8) ? offset : offset - (offset % alignment));
    }
  }
}

function pickForm(random: Random): MemoryOperand {
  const displacement = random.chance(2) ? random.below(256) - 128 : Number(BigInt.asIntN(32, random.next()));
  if (random.chance(8)) return { scale: 0, displacement: 0, ripRelative: true };
  const base = random.below(16);
  const form: MemoryOperand = { base, scale: 0, displacement, ripRelative: false };
  const index = random.below(16);
  if (random.chance(2) || index === RSP || index === base) return form;
  return { ...form, index, scale: random.below(4) };
}

/** Sets the base, or the displacement, so that the operand is at the target. */
function aim(
  choice: Choice,
  form: MemoryOperand,
  registers: BigUint64Array,
  target: number,
  random: Random,
): Choice {
  if (form.ripRelative) {
    const lengthBytes = encode(choice).length;
    const displacement = target - (LAYOUT.codeGva + lengthBytes);
    return { ...choice, rm: { ...form, displacement } };
  }
  const index = form.index === undefined ? 0n : registers[form.index]! << BigInt(form.scale);
  let base = BigInt.asUintN(64, BigInt(target) - BigInt(form.displacement) - index);
  // The upper half of a 32-bit address's registers is not looked at.
  if (choice.addressBits === 32) base = (base & 0xffff_ffffn) | (random.next() << 32n);
  if (form.base === RSP && base > USER_ADDRESSES) {
    registers[RSP] = BigInt(target);
    return { ...choice, rm: { base: RSP, scale: 0, displacement: 0, ripRelative: false } };
  }
  registers[form.base!] = BigInt.asUintN(64, base);
  return choice;
}

const STACK = /^(PUSH|POP|CALL|RET|LEAVE)/;
/** An address that is canonical, little-endian: its upper bytes are 0. */
const HIGH_BYTES = [5, 6, 7];

/** The stack is in the data, mostly; and where an indirect jump goes is canonical, for vendors differ about others. */
function prepareControlTransfer(
  { instruction: { mnemonic }, encoding }: Variant,
  { rm }: Choice,
  registers: BigUint64Array,
  memory: Uint8Array,
  target: number,
  random: Random,
): void {
  const usesStack = STACK.test(mnemonic);
  if (usesStack && typeof rm === 'number') {
    const stack = BigInt(random.chance(16) ? LAYOUT.dataGva + random.below(4) : pickTarget(random));
    registers[mnemonic === 'LEAVE' ? RBP : RSP] = stack;
    target = Number(stack);
  }
  if (!encoding.forces64) return;
  for (const byte of HIGH_BYTES) {
    const at = target + byte - LAYOUT.dataGva;
    if (at < MEMORY_BYTES) memory[at] = 0;
  }
  if (typeof rm === 'number' && rm !== RSP) registers[rm] = registers[rm]! & USER_ADDRESSES;
}
