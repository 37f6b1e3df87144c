/**
 * Instructions with operands, from a seed: every encoding, size and kind of operand of the table. One instruction's code
 * can have many states, which differ in registers and in what is in memory.
 */
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import { type Choice, encode, type MemoryOperand } from './instruction-encoder.ts';
import { LAYOUT } from './native/address-space.ts';
import { VOLLEY_GVA } from './native/volley-code.ts';
import { chooseImmediate, prepareOperands } from './operand-preparation.ts';
import type { Random } from './random.ts';
import { chooseSegmentBases, chooseSegmentOverride, overriddenBase } from './segment-override.ts';
import {
  pickFarPlace,
  pickTarget,
  type TestCase,
  type TestCode,
  USER_ADDRESSES,
  type Window,
} from './test-case.ts';
import { areaAlignment } from './x87-features.ts';

/** CF, PF, AF, ZF, SF, OF. */
const STATUS_FLAGS = 0x8d5n;
const DIRECTION_FLAG = 0x400n;
/** IF, and a bit that is always set. */
const FIXED_FLAGS = 0x202n;
const RSP = 4;

export function chooseCode(random: Random, variant: Variant, window: Window): TestCode {
  const { encoding, operandBits, lock, repeat } = variant;
  const usesMemory = variant.rm !== undefined && variant.rm !== 'register';
  const usesOffset = encoding.operands.some(({ source }) => source === 'offset');
  const rm = usesMemory && !usesOffset ? chooseForm(random) : random.below(16);
  const target = pickTarget(random, window, usualAlignment(variant));
  const segment = usesMemory ? chooseSegmentOverride(random) : undefined;
  const segmentBases = chooseSegmentBases(random);
  const linearBase = overriddenBase(segment, segmentBases);
  const draft: Choice = {
    ...{ encoding, operandBits, addressBits: variant.rm === 'memory32' ? 32 : 64, lock, repeat },
    ...{ register: random.below(16), rm, vvvv: random.below(16), forceRex: random.chance(3) },
    ...(segment !== undefined && { segment }),
    immediate: usesOffset ? BigInt(target - linearBase) : chooseImmediate(random, variant),
  };
  const isRelative = typeof rm === 'object' && rm.ripRelative;
  const choice = isRelative
    ? { ...draft, rm: { ...rm, displacement: distance(draft, target - linearBase) } }
    : draft;
  const code = { variant, choice, code: encode(choice), window, segmentBases };
  return usesOffset || isRelative ? { ...code, target } : code;
}

/** From the next instruction. */
function distance(choice: Choice, target: number): number {
  return target - (LAYOUT.codeGva + encode(choice).length);
}

export function chooseState(random: Random, code: TestCode): TestCase {
  const { choice, window, variant } = code;
  const registers = new BigUint64Array(16);
  for (let number = 0; number < 16; number++) registers[number] = outsideOfTester(random.operand());
  // Some hypervisors do not go on with a stack pointer that is not canonical.
  registers[RSP] = registers[RSP]! & USER_ADDRESSES;
  const memory = random.bytes(window.lengthBytes);
  const target = code.target ?? pickTarget(random, window, usualAlignment(variant));
  const base = overriddenBase(choice.segment, code.segmentBases);
  // With a base, AMD's processors want what it is added to canonical as well.
  const address = random.chance(64) && base === 0 ? pickFarPlace(random) : BigInt(target - base);
  const place = () => {
    if (typeof choice.rm === 'object' && code.target === undefined)
      aim(random, choice, choice.rm, registers, address);
  };
  prepareOperands({ random, code, registers, memory, target, place });
  const direction = random.chance(8) ? DIRECTION_FLAG : 0n;
  const rflags = (random.next() & STATUS_FLAGS) | FIXED_FLAGS | direction;
  return { code: code.code, registers, rflags, memory };
}

const TESTERS_UPPER_HALF = BigInt(VOLLEY_GVA) >> 32n;

/** Not among what the tester has in the traced process (native/volley-code.ts). */
function outsideOfTester(value: bigint): bigint {
  return value >> 32n === TESTERS_UPPER_HALF ? value & 0xffff_ffffn : value;
}

/** Operands of 128 bits and XSAVE areas must be aligned, mostly; of others that is not looked at. */
function usualAlignment(variant: Variant): number {
  const area = areaAlignment(variant);
  if (area !== undefined) return area;
  return variant.encoding.operands.some(({ width }) => width === 128) ? 16 : 1;
}

/** With RSP, whose values must be canonical, only small numbers are added to the base. */
function chooseForm(random: Random): MemoryOperand {
  const isSmall = random.chance(2);
  const displacement = isSmall ? random.below(256) - 128 : random.word() | 0;
  if (random.chance(8)) return { scale: 0, displacement: 0, ripRelative: true };
  const base = random.below(16);
  if (base === RSP) return { base, scale: 0, displacement: random.below(256) - 128, ripRelative: false };
  const form: MemoryOperand = { base, scale: 0, displacement, ripRelative: false };
  const index = random.below(16);
  if (random.chance(2) || index === RSP || index === base) return form;
  return { ...form, index, scale: random.below(4) };
}

/** Sets the base so that the operand is at the target. */
function aim(
  random: Random,
  { addressBits }: Choice,
  form: MemoryOperand,
  registers: BigUint64Array,
  target: bigint,
): void {
  const index = form.index === undefined ? 0n : registers[form.index]! << BigInt(form.scale);
  let base = BigInt.asUintN(64, target - BigInt(form.displacement) - index);
  // The upper half of a 32-bit address's registers is not looked at.
  if (addressBits === 32 && form.base !== RSP)
    base = BigInt.asUintN(32, base) | (BigInt(random.word()) << 32n);
  registers[form.base!] = form.base === RSP ? base & USER_ADDRESSES : base;
}
