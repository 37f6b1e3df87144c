/** ENTER, PUSHA, POPA and BOUND: several accesses to memory each, and nothing changes unless all of them succeed. */
import { GENERAL_REGISTER_NAMES, type GeneralRegisterName, type GeneralRegisters } from '@vireo/hypervisor';
import { GuestFault, VECTOR } from './guest-fault.ts';
import { accessPrivilege } from './processor.ts';
import { Stack } from './stack.ts';
import type { Operation, Operations } from './system-processor.ts';

/** As instructions write registers: 32 bits clear the upper half, 16 leave the rest. */
function setRegister(
  general: GeneralRegisters,
  name: GeneralRegisterName,
  value: bigint,
  bits: 16 | 32 | 64,
): void {
  general[name] = bits === 16 ? (general[name] & ~0xffffn) | (value & 0xffffn) : BigInt.asUintN(bits, value);
}

/**
 * Intel SDM Vol. 2A "ENTER—Make Stack Frame for Procedure Parameters". The outer frames' pointers are read, and what is
 * to be pushed is checked, before the first write.
 */
const enter: Operation = (processor, { a, b, operandBits }) => {
  const { general } = processor;
  const stack = Stack.current(processor);
  const lengthBytes = (operandBits / 8) as 2 | 4 | 8;
  const frame = stack.after(-lengthBytes);
  const level = Number(b & 31n);
  const values = [general.rbp];
  for (let outer = 1; outer < level; outer++)
    values.push(stack.readAt(general.rbp - BigInt(outer * lengthBytes), lengthBytes));
  if (level > 0) values.push(frame);
  stack.reserve(values.length, lengthBytes);
  // A write at the final stack pointer must be possible, too, though none is made.
  const final = Stack.current(processor);
  final.release(-(values.length * lengthBytes) - Number(a & 0xffffn));
  final.checkTop(lengthBytes);
  stack.pushAll(values, lengthBytes);
  setRegister(general, 'rbp', frame, operandBits);
  general.rsp = final.pointer;
};

/** Intel SDM Vol. 2B "PUSHA/PUSHAD—Push All General-Purpose Registers": RSP as it was before. */
const pushAll: Operation = (processor, { operandBits }) => {
  const { general } = processor;
  const stack = Stack.current(processor);
  const values = GENERAL_REGISTER_NAMES.slice(0, 8).map((name) => general[name]);
  stack.pushAll(values, operandBits === 16 ? 2 : 4);
  general.rsp = stack.pointer;
};

/** Intel SDM Vol. 2B "POPA/POPAD—Pop All General-Purpose Registers": RSP's place is left out. */
const popAll: Operation = (processor, { operandBits }) => {
  const { general } = processor;
  const stack = Stack.current(processor);
  const bits = operandBits === 16 ? 16 : 32;
  const names = GENERAL_REGISTER_NAMES.slice(0, 8).reverse();
  const values = names.map((name) => [name, stack.pop(bits === 16 ? 2 : 4)] as const);
  for (const [name, value] of values) if (name !== 'rsp') setRegister(general, name, value, bits);
  general.rsp = stack.pointer;
};

/** Intel SDM Vol. 2A "BOUND—Check Array Index Against Bounds": signed, the lower bound first. */
const checkBounds: Operation = (processor, { a, b, operandBits }) => {
  const lengthBytes = operandBits === 16 ? 2 : 4;
  const privilege = accessPrivilege(processor);
  const signed = (value: bigint) => BigInt.asIntN(lengthBytes * 8, value);
  const lower = signed(processor.memory.read(b, lengthBytes, privilege));
  const upper = signed(
    processor.memory.read((b + BigInt(lengthBytes)) & 0xffff_ffffn, lengthBytes, privilege),
  );
  if (signed(a) < lower || signed(a) > upper) throw new GuestFault(VECTOR.BR);
};

export const STACK_FRAMES = { enter, pushAll, popAll, checkBounds } satisfies Partial<Operations>;
