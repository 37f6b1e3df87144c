/** Where every jump ends: goes on with decoded code, or returns to the host when there is none. */
import {
  CODE_TABLE_ENTRIES,
  CODE_TABLE_ENTRY,
  CODE_TABLE_ENTRY_BYTES,
  CODE_TABLE_FOLD_SHIFT,
} from '../code-table.ts';
import { offsetOf } from '../cpu-state.ts';
import { EXIT } from '../exit-reason.ts';
import { RECORD } from '../record.ts';
import { Code, type FunctionType } from '../wasm/code.ts';
import { CONVERT, I32, I64 } from '../wasm/instructions.ts';

/** (state, record, RIP) → exit reason. */
export const GOTO_TYPE: FunctionType = { parameters: ['i32', 'i32', 'i64'], results: ['i32'] };

const STATE = 0;
const TARGET = 2;
const CODE_SEGMENT_BASE = offsetOf('segmentBases') + 8;

/** `findCode`: the memory unit's search for what is not in the table. */
export function gotoFunction(handlerType: number, findCode: number): Code {
  const code = new Code(GOTO_TYPE);
  const entry = code.local('i32');
  const record = code.local('i32');
  const linear = code.local('i64');
  code.get(TARGET).get(STATE).load(64, CODE_SEGMENT_BASE).op(I64.add).set(linear);
  pushEntry(code, linear);
  code.tee(entry).load(32, CODE_TABLE_ENTRY.record).set(record);
  countJump(code);
  code.if(() => leave(code));
  code.get(entry).load(64, CODE_TABLE_ENTRY.rip).get(linear).op(I64.eq);
  pushIsValid(code, entry);
  code.op(I32.and, I32.eqz).if(() => {
    code.get(TARGET).call(findCode).tee(record);
    code.op(I32.eqz).if(() => leave(code));
  });
  code.get(STATE).get(TARGET).store(64, offsetOf('codeBase'));
  code.get(STATE).get(record).get(record).load(32, RECORD.handler);
  return code.returnCallIndirect(handlerType);
}

/** The address of the table's entry for a linear address. */
function pushEntry(code: Code, linear: number): void {
  const low = code.local('i32');
  code.get(linear).op(CONVERT.i32WrapI64).tee(low);
  code.get(low).i32(CODE_TABLE_FOLD_SHIFT).op(I32.shrU, I32.xor);
  code
    .i32(CODE_TABLE_ENTRIES - 1)
    .op(I32.and)
    .i32(CODE_TABLE_ENTRY_BYTES)
    .op(I32.mul);
  code.get(STATE).load(32, offsetOf('codeTable')).op(I32.add);
}

/** Leaves on the stack whether the host has to look at something first. */
function countJump(code: Code): void {
  const budget = code.local('i32');
  code.get(STATE).load(32, offsetOf('budget')).i32(1).op(I32.sub).set(budget);
  code.get(STATE).get(budget).store(32, offsetOf('budget'));
  code.get(budget).i32(0).op(I32.ltS).get(STATE).load(32, offsetOf('pending')).op(I32.or);
}

function leave(code: Code): void {
  code.get(STATE).get(TARGET).store(64, offsetOf('rip'));
  code.i32(EXIT.jump).return();
}

/** Whether the entry is of one of the two generations that are valid (code-table.ts). */
function pushIsValid(code: Code, entry: number): void {
  const isOf = (name: 'localGeneration' | 'globalGeneration') =>
    code.get(entry).load(32, CODE_TABLE_ENTRY.generation).get(STATE).load(32, offsetOf(name)).op(I32.eq);
  isOf('localGeneration');
  isOf('globalGeneration').op(I32.or);
}
