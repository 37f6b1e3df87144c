/** Functions that find a guest's memory in ours: by the TLB, or by the host's slow way. */
import { offsetOf } from '../cpu-state.ts';
import { TLB_ENTRIES, TLB_ENTRY, TLB_ENTRY_BYTES } from '../tlb.ts';
import { Code, type FunctionType } from '../wasm/code.ts';
import { CONVERT, I32, I64 } from '../wasm/instructions.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';

/** (state, record, linear address, bytes) → address in our memory, or 0: it faulted, or is to be done otherwise. */
export const TRANSLATE_TYPE: FunctionType = { parameters: ['i32', 'i32', 'i64', 'i32'], results: ['i32'] };

const STATE = 0;
const RECORD = 1;
const GVA = 2;
const LENGTH = 3;

const PAGE_BYTES = 4096;
const PAGE_BITS = 12;

/** @returns the function's index; `slow` is that of the host's function for everything else. */
export function addTranslation(module: ModuleBuilder, access: 'read' | 'write', slow: number): number {
  const code = new Code(TRANSLATE_TYPE);
  const entry = code.local('i32');
  code.get(GVA).i64(BigInt(PAGE_BITS)).op(I64.shrU, CONVERT.i32WrapI64);
  code
    .i32(TLB_ENTRIES - 1)
    .op(I32.and)
    .i32(TLB_ENTRY_BYTES)
    .op(I32.mul);
  code.get(STATE).load(32, offsetOf('tlb')).op(I32.add).set(entry);
  const page = access === 'read' ? TLB_ENTRY.readPage : TLB_ENTRY.writePage;
  code.get(entry).load(64, page);
  code.get(GVA).i64(-BigInt(PAGE_BYTES)).op(I64.and, I64.eq);
  code
    .get(GVA)
    .op(CONVERT.i32WrapI64)
    .i32(PAGE_BYTES - 1)
    .op(I32.and);
  code.get(LENGTH).op(I32.add).i32(PAGE_BYTES).op(I32.leU, I32.and);
  code.if(() => {
    code.get(GVA).op(CONVERT.i32WrapI64).get(entry).load(32, TLB_ENTRY.addend).op(I32.add).return();
  });
  code.get(STATE).get(RECORD).get(GVA).get(LENGTH).returnCall(slow);
  return module.add(code, access === 'read' ? 'translateRead' : 'translateWrite');
}

/** (state, record, address of the segment's base, offset, bytes) → as above. */
export const SEGMENTED_TYPE: FunctionType = {
  parameters: ['i32', 'i32', 'i32', 'i64', 'i32'],
  results: ['i32'],
};

/**
 * The same for an offset in a segment with a limit. `translate` is the function above, `slow` the host's, which finds out
 * what is wrong.
 */
export function addSegmented(
  module: ModuleBuilder,
  access: 'read' | 'write',
  { translate, slow }: { translate: number; slow: number },
): number {
  const [state, record, segment, offset, length] = [0, 1, 2, 3, 4];
  const code = new Code(SEGMENTED_TYPE);
  const limit = access === 'read' ? offsetOf('segmentReadable') : offsetOf('segmentWritable');
  code.get(segment).load(64, limit - offsetOf('segmentBases'));
  code.get(offset).get(length).op(CONVERT.i64ExtendI32U, I64.add, I64.ltU);
  code.if(() => {
    code.get(state).get(record).get(segment).get(offset).get(length).returnCall(slow);
  });
  code.get(state).get(record);
  code.get(offset).get(segment).load(64).op(I64.add).get(state).load(64, offsetOf('linearMask')).op(I64.and);
  code.get(length).returnCall(translate);
  return module.add(code);
}
