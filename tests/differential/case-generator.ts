/**
 * Instructions with operands, from a seed: every encoding, size and kind of operand of the table. One instruction's code
 * can have many states, which differ in registers and in what is in memory.
 */
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import { type Choice, encode, type MemoryOperand } from './instruction-encoder.ts';
import { LAYOUT } from './native/address-space.ts';
import { VOLLEY_GVA } from './native/volley-code.ts';
import { chooseImmediate, prepareOperands } from './operand-preparation.ts';
import {
  chooseIgnoredPrefixes,
  chooseSegmentBases,
  chooseSegmentOverride,
  overriddenBase,
} from './prefixes.ts';
import type { Random } from './random.ts';
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
/** Intel SDM Vol. 2A §2.3.11 "AVX Instruction Length" repeats it. */
const MOST_BYTES = 15;

export function chooseCode(random: Random, variant: Variant, window: Window): TestCode {
  const { encoding, operandBits, lock, repeat } = variant;
  const usesMemory = variant.rm !== undefined && variant.rm !== 'register';
  const usesOffset = encoding.operands.some(({ source }) => source === 'offset');
  // MASKMOVDQU's memory is implied, and ModRM names a register.
  const hasForm =
    usesMemory && !usesOffset && encoding.operands.every(({ source }) => source !== 'rm-register');
  const rm = hasForm ? chooseForm(random, encoding.forces64) : random.below(16);
  const target = pickTarget(random, window, usualAlignment(variant));
  const segment = usesMemory ? chooseSegmentOverride(random) : undefined;
  const segmentBases = chooseSegmentBases(random);
  const linearBase = overriddenBase(segment, segmentBases);
  const draft = withoutExcess({
    ...{ encoding, operandBits, addressBits: variant.rm === 'memory32' ? 32 : 64, lock, repeat },
    ...{ register: random.below(16), rm, vvvv: random.below(16), forceRex: random.chance(3) },
    ...(segment !== undefined && { segment }),
    ignoredPrefixes: chooseIgnoredPrefixes(random, variant),
    immediate: usesOffset ? BigInt(target - linearBase) : chooseImmediate(random, variant),
  });
  const isFixed = usesOffset || (typeof rm === 'object' && rm.base === undefined && rm.index === undefined);
  const choice = isFixed ? aimCode(draft, target - linearBase) : draft;
  const code = { variant, choice, code: encode(choice), window, segmentBases };
  return isFixed ? { ...code, target } : code;
}

/** Longer instructions are #GP. */
function withoutExcess(choice: Choice): Choice {
  return encode(choice).length <= MOST_BYTES ? choice : { ...choice, ignoredPrefixes: [] };
}

/** With no register in its address. A relative one is from the next instruction. */
function aimCode(choice: Choice, target: number): Choice {
  const { rm } = choice;
  if (typeof rm === 'number') return choice;
  const from = rm.ripRelative ? LAYOUT.codeGva + encode(choice).length : 0;
  return { ...choice, rm: { ...rm, displacement: target - from } };
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

/** With RSP, whose values must be canonical, only small numbers are added to the base. `exact`: aims at any byte. */
function chooseForm(random: Random, exact = false): MemoryOperand {
  if (random.chance(8)) return { scale: 0, displacement: 0, ripRelative: !random.chance(3) };
  const base = random.below(16);
  const small = random.chance(4) ? 0 : random.below(256) - 128;
  if (base === RSP) return { base, scale: 0, displacement: small, ripRelative: false };
  const displacement = random.chance(2) ? small : random.word() | 0;
  const form: MemoryOperand = { base, scale: 0, displacement, ripRelative: false };
  const index = random.below(16);
  if (random.chance(2) || index === RSP || index === base) return form;
  const scale = random.below(4);
  if (random.chance(4)) return { index, scale: exact ? 0 : scale, displacement, ripRelative: false };
  return { ...form, index, scale };
}

/** Sets the base, or without one the index, so that the operand is at the target, or as near as the scale allows. */
function aim(
  random: Random,
  { addressBits }: Choice,
  { base, index, scale, displacement }: MemoryOperand,
  registers: BigUint64Array,
  target: bigint,
): void {
  const indexed = index === undefined || base === undefined ? 0n : registers[index]! << BigInt(scale);
  let value = BigInt.asUintN(64, target - BigInt(displacement) - indexed);
  if (base === undefined) value >>= BigInt(scale);
  // The upper half of a 32-bit address's registers is not looked at.
  if (addressBits === 32 && base !== RSP) value = BigInt.asUintN(32, value) | (BigInt(random.word()) << 32n);
  registers[base ?? index!] = base === RSP ? value & USER_ADDRESSES : value;
}
