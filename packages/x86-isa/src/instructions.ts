/** Every instruction, in the order of the families. */
import type { Instruction } from './instruction.ts';
import { ARITHMETIC } from './instructions/arithmetic.ts';
import { DATA_TRANSFER } from './instructions/data-transfer.ts';
import { LOGIC } from './instructions/logic.ts';

export const INSTRUCTIONS: readonly Instruction[] = [...ARITHMETIC, ...LOGIC, ...DATA_TRANSFER];
