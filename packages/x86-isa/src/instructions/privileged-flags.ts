/** RFLAGS as a whole, and the interrupt and alignment-check flags (Intel SDM Vol. 1 §3.4.3.3 "System Flags and IOPL Field"). */
import type { Builder } from '../builder.ts';
import { defaults64, enc, type Instruction, systemInstruction } from '../instruction.ts';
import { push } from './stack.ts';

const implied = (mnemonic: string, notation: string, semantics: (e: Builder) => void): Instruction =>
  systemInstruction(mnemonic, { encodings: [enc('ZO', notation)], semantics });

/** Intel SDM Vol. 2B "PUSHF/PUSHFD/PUSHFQ—Push EFLAGS Register onto the Stack". */
const PUSHF = systemInstruction('PUSHF', {
  encodings: [enc('ZO', '9C', defaults64)],
  semantics: (e) => push(e, e.truncate(e.system('readFlags'), e.operandBits)),
});

/** Intel SDM Vol. 2B "POPF/POPFD/POPFQ—Pop Stack into EFLAGS Register". */
const POPF = systemInstruction('POPF', {
  encodings: [enc('ZO', '9D', defaults64)],
  semantics(e) {
    const offset = e.stackPointer();
    e.system('writeFlags', e.zeroExtend(e.loadStack(offset, e.operandBits), 64));
    e.setStackPointer(e.binary('add', offset, e.constant(64, e.operandBits / 8)));
  },
});

export const PRIVILEGED_FLAGS: readonly Instruction[] = [
  ...[PUSHF, POPF],
  implied('CLI', 'FA', (e) => e.system('clearInterruptFlag')),
  implied('STI', 'FB', (e) => e.system('setInterruptFlag')),
  implied('CLAC', 'NP 0F 01 CA', (e) => e.system('setAccessFlag', e.constant(64, 0))),
  implied('STAC', 'NP 0F 01 CB', (e) => e.system('setAccessFlag', e.constant(64, 1))),
];
