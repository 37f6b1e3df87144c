/** Values of 80 bits: in a vector, whose other bits are zeros; ten bytes in memory. */
import type { Code } from '../wasm/code.ts';
import { CONVERT } from '../wasm/instructions.ts';
import { EXTRACT_LANE, REPLACE_LANE, VECTOR } from '../wasm/vector-instructions.ts';

const VECTOR_BYTES = 16;

/** Leaves what is at an address on the stack. */
export function pushExtended(code: Code, pushAddress: () => void, offset = 0): void {
  code.vector(VECTOR.const, ...Array<number>(VECTOR_BYTES).fill(0));
  pushAddress();
  code.load(64, offset).vector(REPLACE_LANE.i64x2, 0);
  pushAddress();
  code
    .load(16, offset + 8)
    .op(CONVERT.i64ExtendI32U)
    .vector(REPLACE_LANE.i64x2, 1);
}

export function storeExtended(code: Code, pushAddress: () => void, local: number, offset = 0): void {
  pushAddress();
  code.get(local).vector(EXTRACT_LANE.i64x2, 0).store(64, offset);
  pushAddress();
  code
    .get(local)
    .vector(EXTRACT_LANE.i64x2, 1)
    .op(CONVERT.i32WrapI64)
    .store(16, offset + 8);
}
