/** Where every jump ends: goes on with decoded code, or returns to the host when there is none. */
import { CODE_TABLE_ENTRIES, CODE_TABLE_ENTRY, CODE_TABLE_ENTRY_BYTES } from '../code-table.ts';
import { offsetOf } from '../cpu-state.ts';
import { EXIT } from '../exit-reason.ts';
import { RECORD } from '../record.ts';
import { Code, type FunctionType } from '../wasm/code.ts';
import { CONVERT, I32, I64 } from '../wasm/instructions.ts';

/** (state, record, linear address) → exit reason. */
export const GOTO_TYPE: FunctionType = { parameters: ['i32', 'i32', 'i64'], results: ['i32'] };

const STATE = 0;
const TARGET = 2;
/** As in codeTablePlace. */
const FOLD_SHIFT = 13;

export function gotoFunction(handlerType: number): Code {
  const code = new Code(GOTO_TYPE);
  const entry = code.local('i32');
  const record = code.local('i32');
  const low = () => code.get(TARGET).op(CONVERT.i32WrapI64);
  low();
  low()
    .i32(FOLD_SHIFT)
    .op(I32.shrU, I32.xor)
    .i32(CODE_TABLE_ENTRIES - 1)
    .op(I32.and);
  code.i32(CODE_TABLE_ENTRY_BYTES).op(I32.mul).get(STATE).load(32, offsetOf('codeTable')).op(I32.add);
  code.tee(entry).load(64, CODE_TABLE_ENTRY.rip).get(TARGET).op(I64.eq);
  code.get(STATE).load(32, offsetOf('pending')).op(I32.eqz, I32.and);
  code.if(() => {
    code.get(STATE).get(TARGET).store(64, offsetOf('codeBase'));
    code.get(STATE).get(entry).load(32, CODE_TABLE_ENTRY.record).tee(record);
    code.get(record).load(32, RECORD.handler).returnCallIndirect(handlerType);
  });
  code.get(STATE).get(TARGET).store(64, offsetOf('rip'));
  return code.i32(EXIT.jump);
}
