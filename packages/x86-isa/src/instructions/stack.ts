/** The stack (Intel SDM Vol. 1 §6.2 "Stacks"). */
import type { Builder, Value } from '../builder.ts';
import { defaults64, enc, type Instruction, instruction } from '../instruction.ts';
import { r, w } from '../operand.ts';

const RBP = 5;

/** The stack pointer moves only after the write: it stays when that faults. */
export function push(e: Builder, value: Value): void {
  const offset = e.binary('sub', e.stackPointer(), e.constant(64, value.bits / 8));
  e.storeStack(offset, value);
  e.setStackPointer(offset);
}

/** `extraBytes`: how much more is released. */
export function pop(e: Builder, bits: 16 | 32 | 64, extraBytes?: Value): Value {
  const offset = e.stackPointer();
  const value = e.loadStack(offset, bits);
  const after = e.binary('add', offset, e.constant(64, bits / 8));
  e.setStackPointer(extraBytes ? e.binary('add', after, extraBytes) : after);
  return value;
}

/** Intel SDM Vol. 2B "PUSH—Push Word, Doubleword, or Quadword Onto the Stack". PUSH of RSP pushes it as it was. */
export const PUSH = instruction('PUSH', {
  encodings: [
    enc('O', '50 +r', r('ov'), defaults64),
    enc('M', 'FF /6', r('rmv'), defaults64),
    enc('I', '6A ib', r('imm8s'), defaults64),
    enc('I', '68 iz', r('immz'), defaults64),
  ],
  semantics(e, source) {
    push(e, e.read(source!));
  },
});

/**
 * Intel SDM Vol. 2B "POP—Pop a Value From the Stack". POP of RSP leaves there what was popped. To memory, an address with
 * RSP in it is of RSP after the pop, which is for the decoder to see to: the stack pointer must not have moved when the
 * write faults.
 */
export const POP = instruction('POP', {
  encodings: [enc('O', '58 +r', w('ov'), defaults64), enc('M', '8F /0', w('rmv'), defaults64)],
  semantics(e, destination) {
    const { isMemory, bits } = destination!;
    const offset = e.stackPointer();
    const value = e.loadStack(offset, bits as 16 | 32 | 64);
    const after = e.binary('add', offset, e.constant(64, bits / 8));
    if (isMemory) {
      e.write(destination!, value);
      e.setStackPointer(after);
    } else {
      e.setStackPointer(after);
      e.write(destination!, value);
    }
  },
});

/** Intel SDM Vol. 2A "LEAVE—High Level Procedure Exit". */
export const LEAVE = instruction('LEAVE', {
  encodings: [enc('ZO', 'C9', defaults64)],
  semantics(e) {
    const offset = e.readRegister(RBP, 64);
    const value = e.loadStack(offset, e.operandBits);
    e.setStackPointer(e.binary('add', offset, e.constant(64, e.operandBits / 8)));
    e.writeRegister(RBP, value);
  },
});

export const STACK: readonly Instruction[] = [PUSH, POP, LEAVE];
