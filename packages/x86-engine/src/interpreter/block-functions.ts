/** Functions that move a block between a guest's memory and the buffer in the vCPU's state, a page at a time. */
import { offsetOf } from '../cpu-state.ts';
import { Code } from '../wasm/code.ts';
import { CONVERT, I32, I64, OP } from '../wasm/instructions.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';

/**
 * (state, record, linear address, place in the buffer, bytes) → 0 when it faulted: then a store has written nothing, and a
 * load is done as far as it came.
 */
export interface BlockFunctions {
  readonly load: number;
  readonly store: number;
}

const STATE = 0;
const RECORD = 1;
const GVA = 2;
const PLACE = 3;
const LENGTH = 4;

const PAGE_BITS = 12n;
const PAGE_BYTES = 4096;
/** WebAssembly's memory.copy, of memory 0 (WebAssembly Core Specification 3.0, §5.4 "Instructions"). */
const MEMORY_COPY = [0xfc, 0x0a, 0, 0] as const;

export function addBlockFunctions(
  module: ModuleBuilder,
  translateRead: number,
  translateWrite: number,
): BlockFunctions {
  return {
    load: module.add(transfer(translateRead, true)),
    store: module.add(transfer(translateWrite, false)),
  };
}

function transfer(translate: number, isLoad: boolean): Code {
  const code = new Code({ parameters: ['i32', 'i32', 'i64', 'i32', 'i32'], results: ['i32'] });
  const [host, count] = [code.local('i32'), code.local('i32')];
  const pushBuffer = () => code.get(STATE).i32(offsetOf('block')).op(I32.add).get(PLACE).op(I32.add);
  if (!isLoad) requireLastByte(code, translate);
  code.loop(() => {
    setWithinPage(code, count);
    code.get(STATE).get(RECORD).get(GVA).get(count).call(translate).tee(host).op(I32.eqz);
    code.if(() => code.i32(0).return());
    if (isLoad) pushBuffer().get(host);
    else {
      code.get(host);
      pushBuffer();
    }
    code.get(count).op(...MEMORY_COPY);
    code.get(GVA).get(count).op(CONVERT.i64ExtendI32U, I64.add).set(GVA);
    code.get(PLACE).get(count).op(I32.add).set(PLACE);
    code.get(LENGTH).get(count).op(I32.sub).tee(LENGTH).op(OP.brIf, 0);
  });
  return code.i32(1);
}

/** A block on two pages faults by its last byte, before the first is written; so do the processors that we know. */
function requireLastByte(code: Code, translate: number): void {
  const pushLast = () => code.get(GVA).get(LENGTH).op(CONVERT.i64ExtendI32U, I64.add).i64(1n).op(I64.sub);
  pushLast().get(GVA).op(I64.xor).i64(PAGE_BITS).op(I64.shrU, I64.eqz, I32.eqz);
  code.if(() => {
    code.get(STATE).get(RECORD);
    pushLast().i32(1).call(translate).op(I32.eqz);
    code.if(() => code.i32(0).return());
  });
}

/** Sets `count` to how much of the block is in the page. */
function setWithinPage(code: Code, count: number): void {
  const pushLeft = () =>
    code
      .i32(PAGE_BYTES)
      .get(GVA)
      .op(CONVERT.i32WrapI64)
      .i32(PAGE_BYTES - 1)
      .op(I32.and, I32.sub);
  code.get(LENGTH);
  pushLeft();
  code.get(LENGTH);
  pushLeft();
  code.op(I32.ltU, OP.select).set(count);
}
