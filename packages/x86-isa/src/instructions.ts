/** Every instruction, in the order of the families. */
import type { Instruction } from './instruction.ts';
import { ARITHMETIC } from './instructions/arithmetic.ts';
import { CONTROL_FLOW } from './instructions/control-flow.ts';
import { DATA_TRANSFER } from './instructions/data-transfer.ts';
import { LOGIC } from './instructions/logic.ts';
import { STACK } from './instructions/stack.ts';
import { STRINGS } from './instructions/strings.ts';

export const INSTRUCTIONS: readonly Instruction[] = [
  ...ARITHMETIC,
  ...LOGIC,
  ...DATA_TRANSFER,
  ...STACK,
  ...STRINGS,
  ...CONTROL_FLOW,
];
