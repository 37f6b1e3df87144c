/** The sixteen conditions, for the instructions that come in as many kinds (Intel SDM Vol. 1 §B.1 "Condition Codes"). */
import type { Condition } from '../builder.ts';
import type { Instruction } from '../instruction.ts';

const NAMES = ['O', 'NO', 'B', 'AE', 'E', 'NE', 'BE', 'A', 'S', 'NS', 'P', 'NP', 'L', 'GE', 'LE', 'G'];

/** `digit` is the condition in hexadecimal, as it ends the opcode. */
export function byCondition(
  define: (name: string, condition: Condition, digit: string) => Instruction,
): Instruction[] {
  return NAMES.map((name, code) => define(name, code as Condition, code.toString(16).toUpperCase()));
}
