/** Where a record's instruction is, from the record and the code base. */
import { offsetOf } from '../cpu-state.ts';
import { RECORD } from '../record.ts';
import type { Code } from '../wasm/code.ts';
import { CONVERT, I32, I64 } from '../wasm/instructions.ts';
import { RECORD_LOCAL, STATE_LOCAL } from './handler-type.ts';

/** Leaves the next instruction's address on the stack. */
export function pushNextRip(code: Code): void {
  code.get(STATE_LOCAL).load(64, offsetOf('codeBase'));
  code.get(RECORD_LOCAL).load(32, RECORD.ripDelta).get(RECORD_LOCAL).load(8, RECORD.lengthBytes);
  code.op(I32.add, CONVERT.i64ExtendI32S, I64.add);
}

/** Leaves the instruction's own address on the stack. */
export function pushRip(code: Code): void {
  code.get(STATE_LOCAL).load(64, offsetOf('codeBase'));
  code.get(RECORD_LOCAL).load(32, RECORD.ripDelta).op(CONVERT.i64ExtendI32S, I64.add);
}
