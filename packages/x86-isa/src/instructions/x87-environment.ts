/**
 * The x87's environment and whole state in memory (Intel SDM Vol. 1 §8.1.10 "Saving the x87 FPU’s State with
 * FSTENV/FNSTENV and FSAVE/FNSAVE"): 14 bytes with an operand size of 16 bits, else 28, and 10 more for each register.
 *
 * All modes have protected mode's formats here; those of real-address mode have the same length and keep the pointers
 * in other bits. Selectors are 0, as on processors that no longer save them (CPUID.(EAX=07H,ECX=0H):EBX[13]).
 */
import type { Builder, Value } from '../builder.ts';
import { enc, type Instruction } from '../instruction.ts';
import { address } from '../operand.ts';
import { initialize, notWaiting } from './x87-control.ts';
import { x87 } from './x87-rows.ts';

const REGISTER_BYTES = 10;
const REGISTERS = 8;
const ALL_MASKS = 0x3f;

/** The distance between its fields: control, status and tag words, then the pointers. */
const strideOf = ({ operandBits }: Builder): 2 | 4 => (operandBits === 16 ? 2 : 4);
const environmentBytes = (e: Builder): number => 7 * strideOf(e);

function putEnvironment(e: Builder): void {
  const { x87: fpu, block } = e;
  const stride = strideOf(e);
  const { opcode, instruction, data } = fpu.pointers();
  // Upper halves of words are ones.
  const word = (value: Value) =>
    stride === 2 ? value : e.binary('or', e.zeroExtend(value, 32), e.constant(32, 0xffff_0000));
  const pointer = (value: Value) => e.truncate(value, stride === 2 ? 16 : 32);
  const selector = (upper: Value) =>
    stride === 2 ? e.constant(16, 0) : e.shift('shl', e.zeroExtend(upper, 32), e.constant(8, 16));
  const fields = [
    ...[word(fpu.control()), word(fpu.status()), word(fpu.tags('full'))],
    ...[pointer(instruction), selector(opcode), pointer(data), selector(e.constant(16, 0xffff))],
  ];
  for (const [index, field] of fields.entries()) block.put(index * stride, field);
}

function getEnvironment(e: Builder): void {
  const { x87: fpu, block } = e;
  const stride = strideOf(e);
  const pointer = (index: number) => e.zeroExtend(block.get(index * stride, stride === 2 ? 16 : 32), 64);
  fpu.setControl(block.get(0, 16));
  fpu.setStatus(block.get(stride, 16));
  const opcode = stride === 2 ? e.constant(16, 0) : block.get(18, 16);
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
