/** Every instruction, in the order of the families. */
import type { Instruction } from './instruction.ts';
import { ARITHMETIC } from './instructions/arithmetic.ts';
import { BITS } from './instructions/bits.ts';
import { BMI } from './instructions/bmi.ts';
import { BYTE_ORDER } from './instructions/byte-order.ts';
import { CONTROL_FLOW } from './instructions/control-flow.ts';
import { DATA_TRANSFER } from './instructions/data-transfer.ts';
import { DECIMAL } from './instructions/decimal.ts';
import { EXCHANGE } from './instructions/exchange.ts';
import { FAR_CONTROL } from './instructions/far-control.ts';
import { FLAG_CONTROL } from './instructions/flag-control.ts';
import { LOGIC } from './instructions/logic.ts';
import { MISCELLANEOUS } from './instructions/miscellaneous.ts';
import { MULTI_PRECISION } from './instructions/multi-precision.ts';
import { MULTIPLICATION } from './instructions/multiplication.ts';
import { PORTS } from './instructions/ports.ts';
import { PRIVILEGED_FLAGS } from './instructions/privileged-flags.ts';
import { SEGMENT_INSTRUCTIONS } from './instructions/segments.ts';
import { SHIFTS } from './instructions/shifts.ts';
import { SSE } from './instructions/sse.ts';
import { STACK } from './instructions/stack.ts';
import { STRINGS } from './instructions/strings.ts';
import { SYSTEM } from './instructions/system.ts';
import { X87 } from './instructions/x87.ts';

export const INSTRUCTIONS: readonly Instruction[] = [
  ...ARITHMETIC,
  ...LOGIC,
  ...DATA_TRANSFER,
  ...SHIFTS,
  ...MULTIPLICATION,
  ...MULTI_PRECISION,
  ...DECIMAL,
  ...BITS,
  ...BMI,
  ...BYTE_ORDER,
  ...EXCHANGE,
  ...FLAG_CONTROL,
  ...MISCELLANEOUS,
  ...STACK,
  ...STRINGS,
  ...CONTROL_FLOW,
  ...SSE,
  ...FAR_CONTROL,
  ...PORTS,
  ...PRIVILEGED_FLAGS,
  ...SEGMENT_INSTRUCTIONS,
  ...SYSTEM,
  ...X87,
];
