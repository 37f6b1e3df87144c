/** What a handler is as a function, and where its parameters are. */
import type { FunctionType } from '../wasm/code.ts';

/** A handler: (state, record) → exit reason. */
export const HANDLER_TYPE: FunctionType = { parameters: ['i32', 'i32'], results: ['i32'] };
export const STATE_LOCAL = 0;
export const RECORD_LOCAL = 1;
