/**
 * The x87's environment and whole state in memory (Intel SDM Vol. 1 §8.1.10 "Saving the x87 FPU’s State with
 * FSTENV/FNSTENV and FSAVE/FNSAVE"): 14 bytes with an operand size of 16 bits, else 28, and 10 more for each register.
 *
 * Protected mode, and 64-bit mode, keep the pointers as offsets and selectors. Real-address and virtual-8086 mode have
 * linear addresses, with the upper bits of one and the opcode in a word. Selectors are 0, as on processors that no longer
 * save them (CPUID.(EAX=07H,ECX=0H):EBX[13]): there linear addresses are offsets.
 */
import type { Builder, Value } from '../builder.ts';
import { enc, type Instruction } from '../instruction.ts';
import { address } from '../operand.ts';
import { initialize, notWaiting } from './x87-control.ts';
import { x87 } from './x87-rows.ts';

const REGISTER_BYTES = 10;
const REGISTERS = 8;
const ALL_MASKS = 0x3f;
/** Of a linear address's upper half, in real-address mode's words. */
const HIGH_SHIFT = 12;

/** The distance between its fields: control, status and tag words, then the pointers. */
const strideOf = ({ operandBits }: Builder): 2 | 4 => (operandBits === 16 ? 2 : 4);
const environmentBytes = (e: Builder): number => 7 * strideOf(e);

function putEnvironment(e: Builder): void {
  const { x87: fpu, block } = e;
  const stride = strideOf(e);
  const words = [fpu.control(), fpu.status(), fpu.tags('full')].map((value) => withReserved(e, value));
  const isReal = fpu.usesRealFormat();
  const real = realPointers(e);
  const pointers = protectedPointers(e).map((field, index) => e.select(isReal, real[index]!, field));
  for (const [index, field] of [...words, ...pointers].entries()) block.put(index * stride, field);
}

/** Upper halves of words are ones. */
function withReserved(e: Builder, word: Value): Value {
  if (e.operandBits === 16) return word;
  return e.binary('or', e.zeroExtend(word, 32), e.constant(32, 0xffff_0000));
}

/** Figures 8-9 and 8-11. */
function protectedPointers(e: Builder): readonly Value[] {
  const { opcode, instruction, data } = e.x87.pointers();
  if (e.operandBits === 16) {
    const selector = e.constant(16, 0);
    return [e.truncate(instruction, 16), selector, e.truncate(data, 16), selector];
  }
  const opcodeAndSelector = e.shift('shl', e.zeroExtend(opcode, 32), e.constant(8, 16));
  return [
    ...[e.truncate(instruction, 32), opcodeAndSelector],
    ...[e.truncate(data, 32), e.constant(32, 0xffff_0000)],
  ];
}

/** Figures 8-10 and 8-12. */
function realPointers(e: Builder): readonly Value[] {
  const { opcode, instruction, data } = e.x87.pointers();
  const bits = e.operandBits === 16 ? 16 : 32;
  const low = (address: Value) => withReserved(e, e.truncate(address, 16));
  const high = (address: Value) =>
    e.shift('shl', e.truncate(e.shift('shr', address, e.constant(8, 16)), bits), e.constant(8, HIGH_SHIFT));
  const masked = (address: Value) => (bits === 16 ? high(address) : withoutTop(e, high(address)));
  const highAndOpcode = e.binary('or', masked(instruction), e.zeroExtend(opcode, bits));
  return [low(instruction), highAndOpcode, low(data), masked(data)];
}

/** Of 32 bits the address's upper half takes 16, at bit 12. */
const withoutTop = (e: Builder, value: Value): Value => e.binary('and', value, e.constant(32, 0x0fff_f000));

function getEnvironment(e: Builder): void {
  const { x87: fpu, block } = e;
  const stride = strideOf(e);
  const isReal = fpu.usesRealFormat();
  const bits = stride === 2 ? 16 : 32;
  const wide = (index: number, bits: 16 | 32) => e.zeroExtend(block.get(index * stride, bits), 64);
  const linear = (index: number) => {
    const high = e.shift('shr', wide(index + 1, bits), e.constant(8, HIGH_SHIFT));
    const half = e.binary('and', high, e.constant(64, 0xffff));
    return e.binary('or', wide(index, 16), e.shift('shl', half, e.constant(8, 16)));
  };
  const pointer = (index: number) => e.select(isReal, linear(index), wide(index, bits));
  const protectedOpcode = stride === 2 ? e.constant(16, 0) : block.get(4 * stride + 2, 16);
  fpu.setControl(block.get(0, 16));
  fpu.setStatus(block.get(stride, 16));
  const opcode = e.select(isReal, block.get(4 * stride, 16), protectedOpcode);
  fpu.setPointers({ opcode, instruction: pointer(3), data: pointer(5) });
}

export const X87_ENVIRONMENT: readonly Instruction[] = [
  notWaiting(
    'FNSTENV',
    (e, destination) => {
      putEnvironment(e);
      e.block.store(destination!, 0, environmentBytes(e));
      e.x87.setControl(e.binary('or', e.x87.control(), e.constant(16, ALL_MASKS)));
    },
    enc('M', 'D9 /6', address('m')),
  ),
  x87('FLDENV', [enc('M', 'D9 /4', address('m'))], (e, source) => {
    e.block.load(source!, 0, environmentBytes(e));
    getEnvironment(e);
    e.x87.setTags('full', e.block.get(2 * strideOf(e), 16));
  }),
  notWaiting(
    'FNSAVE',
    (e, destination) => {
      putEnvironment(e);
      const start = environmentBytes(e);
      // Each one's zeros are overwritten by the next.
      for (let number = 0; number < REGISTERS; number++)
        e.block.put(start + number * REGISTER_BYTES, e.x87.register(number));
      e.block.store(destination!, 0, start + REGISTERS * REGISTER_BYTES);
      initialize(e);
    },
    enc('M', 'DD /6', address('m')),
  ),
  x87('FRSTOR', [enc('M', 'DD /4', address('m'))], (e, source) => {
    const start = environmentBytes(e);
    e.block.load(source!, 0, start + REGISTERS * REGISTER_BYTES);
    getEnvironment(e);
    for (let number = 0; number < REGISTERS; number++)
      e.x87.setRegister(number, e.block.get(start + number * REGISTER_BYTES, 80));
    e.x87.setTags('full', e.block.get(2 * strideOf(e), 16));
  }),
];
