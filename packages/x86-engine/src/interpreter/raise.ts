/** Raises an exception from a handler: leaves it, for the host to deliver what is in the vCPU's state. */
import { offsetOf } from '../cpu-state.ts';
import { EXIT } from '../exit-reason.ts';
import { RECORD } from '../record.ts';
import type { Code } from '../wasm/code.ts';
import { CONVERT, I64 } from '../wasm/instructions.ts';
import { RECORD_LOCAL, STATE_LOCAL } from './handler-type.ts';

/** Intel SDM Vol. 3A §6.3.1 "External Interrupts", Table 6-1 "Protected-Mode Exceptions and Interrupts". */
export const EXCEPTION_VECTOR = { DE: 0, UD: 6, NM: 7, GP: 13, MF: 16, XM: 19 } as const;

export type RaisedException = keyof typeof EXCEPTION_VECTOR;

/** #GP has the error code 0. */
export function pushRaise(code: Code, exception: RaisedException): void {
  code.get(STATE_LOCAL).i32(EXCEPTION_VECTOR[exception]).store(32, offsetOf('exceptionVector'));
  code.get(STATE_LOCAL).get(STATE_LOCAL).load(64, offsetOf('codeBase'));
  code.get(RECORD_LOCAL).load(32, RECORD.ripDelta).op(CONVERT.i64ExtendI32S, I64.add);
  code.store(64, offsetOf('rip')).i32(EXIT.exception).return();
}
