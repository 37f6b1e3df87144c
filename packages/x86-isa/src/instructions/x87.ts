/** The families of x87 instructions, and those that save and restore its state with that of SSE. */
import type { Instruction } from '../instruction.ts';
import { EXTENDED_STATE } from './extended-state.ts';
import { X87_ARITHMETIC } from './x87-arithmetic.ts';
import { X87_COMPARISON } from './x87-comparison.ts';
import { X87_CONTROL } from './x87-control.ts';
import { X87_ENVIRONMENT } from './x87-environment.ts';
import { X87_TRANSCENDENTAL } from './x87-transcendental.ts';
import { X87_TRANSFER } from './x87-transfer.ts';

export const X87: readonly Instruction[] = [
  ...[...X87_ARITHMETIC, ...X87_COMPARISON, ...X87_TRANSCENDENTAL, ...X87_TRANSFER],
  ...[...X87_CONTROL, ...X87_ENVIRONMENT, ...EXTENDED_STATE],
];
