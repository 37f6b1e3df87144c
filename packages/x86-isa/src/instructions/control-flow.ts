/** Jumps, calls and returns within a code segment (Intel SDM Vol. 1 §7.3.8 "Control Transfer Instructions"). */
import type { Builder, Condition, Operand, Value } from '../builder.ts';
import { addressed, enc, forces64, type Instruction, instruction } from '../instruction.ts';
import { r } from '../operand.ts';
import { byCondition } from './conditions.ts';
import { pop, push } from './stack.ts';

const RCX = 1;

/** The next instruction's address plus the displacement, cut to the operand size. */
function target(e: Builder, displacement: Operand): Value {
  const sum = e.binary('add', e.nextRip(), e.signExtend(e.read(displacement), 64));
  return e.zeroExtend(e.truncate(sum, e.operandBits), 64);
}

/** Jumps where nothing of the instruction has happened yet. */
function jump(e: Builder, destination: Value): void {
  e.checkJump(destination);
  e.jump(destination);
}

/** Intel SDM Vol. 2A "Jcc—Jump if Condition Is Met". */
export const J = byCondition((name, condition: Condition, digit) =>
  instruction(`J${name}`, {
    encodings: [
      enc('D', `7${digit} cb`, r('rel8'), forces64),
      enc('D', `0F 8${digit} cz`, r('relz'), forces64),
    ],
    semantics(e, displacement) {
      e.if(e.condition(condition), () => jump(e, target(e, displacement!)));
    },
  }),
);

/** Intel SDM Vol. 2A "JMP—Jump", near. */
export const JMP = instruction('JMP', {
  encodings: [
    enc('D', 'EB cb', r('rel8'), forces64),
    enc('D', 'E9 cz', r('relz'), forces64),
    enc('M', 'FF /4', r('rmv'), forces64),
  ],
  semantics(e, operand) {
    jump(e, destinationOf(e, operand!));
  },
});

/** Intel SDM Vol. 2A "CALL—Call Procedure", near. */
export const CALL = instruction('CALL', {
  encodings: [enc('D', 'E8 cz', r('relz'), forces64), enc('M', 'FF /2', r('rmv'), forces64)],
  semantics(e, operand) {
    const destination = destinationOf(e, operand!);
    e.checkJump(destination);
    push(e, e.truncate(e.nextRip(), e.operandBits));
    e.jump(destination);
  },
});

/** Intel SDM Vol. 2B "RET—Return From Procedure", near. */
export const RET = instruction('RET', {
  encodings: [enc('ZO', 'C3', forces64), enc('I', 'C2 iw', r('imm16'), forces64)],
  semantics(e, released) {
    const extraBytes = released ? e.zeroExtend(e.read(released), 64) : undefined;
    const destination = e.zeroExtend(e.loadStack(e.stackPointer(), e.operandBits), 64);
    e.checkJump(destination);
    pop(e, e.operandBits, extraBytes);
    e.jump(destination);
  },
});

type LoopTest = (e: Builder, isNotZero: Value) => Value;

/** Intel SDM Vol. 2A "LOOP/LOOPcc—Loop According to ECX Counter". The counter is as wide as addresses are. */
function loop(mnemonic: string, notation: string, goesOn: LoopTest): Instruction {
  return instruction(mnemonic, {
    encodings: [enc('D', notation, r('rel8'), forces64, addressed)],
    semantics(e, displacement) {
      const counter = e.binary('sub', e.readRegister(RCX, e.addressBits), e.constant(e.addressBits, 1));
      const isTaken = goesOn(e, e.compare('ne', counter, e.constant(counter.bits, 0)));
      const destination = target(e, displacement!);
      e.if(isTaken, () => e.checkJump(destination));
      e.writeRegister(RCX, counter);
      e.if(isTaken, () => e.jump(destination));
    },
  });
}

const whileZero: LoopTest = (e, isNotZero) => e.binary('and', isNotZero, e.flag('ZF'));
const whileNotZero: LoopTest = (e, isNotZero) => e.binary('and', isNotZero, e.condition(5));

/** Intel SDM Vol. 2A "Jcc—Jump if Condition Is Met": JCXZ, JECXZ, JRCXZ. */
export const JCXZ = instruction('JCXZ', {
  encodings: [enc('D', 'E3 cb', r('rel8'), forces64, addressed)],
  semantics(e, displacement) {
    const isZero = e.compare('eq', e.readRegister(RCX, e.addressBits), e.constant(e.addressBits, 0));
    e.if(isZero, () => jump(e, target(e, displacement!)));
  },
});

export const CONTROL_FLOW: readonly Instruction[] = [
  ...J,
  ...[JMP, CALL, RET, JCXZ],
  loop('LOOPNE', 'E0 cb', whileNotZero),
  loop('LOOPE', 'E1 cb', whileZero),
  loop('LOOP', 'E2 cb', (_, isNotZero) => isNotZero),
];

function destinationOf(e: Builder, operand: Operand): Value {
  return operand.source === 'relative' ? target(e, operand) : e.zeroExtend(e.read(operand), 64);
}
