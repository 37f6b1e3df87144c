/**
 * Many iterations of REP STOS and REP MOVS at once, where nobody could tell: forwards, within a page of each operand that
 * the TLB lets be accessed, with nothing pending. A boot spends a tenth of its instructions in them (`bench -- boot`).
 */
import { offsetOf } from '../cpu-state.ts';
import { type Expression, FunctionCode } from '../float/function-code.ts';
import { RECORD } from '../record.ts';
import { TLB_ENTRIES, TLB_ENTRY, TLB_ENTRY_BYTES } from '../tlb.ts';
import type { FunctionType } from '../wasm/code.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { callOf, i32, i64, loadAt, storeAt } from '../x87/stack.ts';

export interface BulkFunctions {
  /** (state, record, bytes of an element) → how many elements were done; RCX, RSI and RDI stay. Addresses have 64 bits. */
  readonly fill: number;
  readonly copy: number;
}

const BULK_TYPE: FunctionType = { parameters: ['i32', 'i32', 'i32'], results: ['i64'] };
const PROBE_TYPE: FunctionType = { parameters: ['i32', 'i64'], results: ['i32'] };

const PAGE_BYTES = 4096;
const DIRECTION_FLAG = 1n << 10n;
const register = (number: number) => offsetOf('general') + number * 8;
const [RAX, RCX, RSI, RDI] = [register(0), register(1), register(6), register(7)] as const;
/** Bytes that a store of all sizes has in common with one of bytes. */
const REPEATED_BYTE = 0x0101_0101_0101_0101n;
/** WebAssembly's memory.fill and memory.copy, of memory 0. */
const MEMORY_FILL = [0xfc, 0x0b, 0] as const;
const MEMORY_COPY = [0xfc, 0x0a, 0, 0] as const;

export function addBulkFunctions(module: ModuleBuilder): BulkFunctions {
  const readable = module.add(probe(TLB_ENTRY.readPage));
  const writable = module.add(probe(TLB_ENTRY.writePage));
  return {
    fill: module.add(fill(writable), 'bulkFill'),
    copy: module.add(copy(readable, writable), 'bulkCopy'),
  };
}

/** Where a linear address is in our memory, by the TLB alone; else 0. */
function probe(page: number): FunctionCode {
  const f = new FunctionCode(PROBE_TYPE);
  const gva = f.parameters[1]!;
  const place = gva
    .shr(12n)
    .wrap()
    .and(TLB_ENTRIES - 1)
    .mul(TLB_ENTRY_BYTES);
  const entry = f.let(loadAt('i32', 32, f.state, offsetOf('tlb')).add(place));
  f.when(loadAt('i64', 64, entry, page).ne(gva.and(-4096n)), () => f.result(i32(0)));
  gva
    .wrap()
    .add(loadAt('i32', 32, entry, TLB_ENTRY.addend))
    .emit(f);
  return f;
}

function fill(writable: number): FunctionCode {
  const f = new FunctionCode(BULK_TYPE);
  const size = f.parameters[2]!;
  leaveUnlessFree(f);
  const to = f.let(loadAt('i64', 64, f.state, RDI).add(loadAt('i64', 64, f.state, offsetOf('segmentBases'))));
  const count = f.let(least(f, loadAt('i64', 64, f.state, RCX), elementsLeft(to, size)));
  const host = f.let(callOf(writable, f.state, to));
  // An element across the page's end is none of these.
  f.when(host.isZero().or(count.isZero()), () => f.result(i64(0n)));
  const lengthBytes = f.let(count.wrap().mul(size));
  const value = loadAt('i64', 64, f.state, RAX);
  // The bits of an element: shifting by 64 would shift by none.
  const unused = f.let(i64(64n).sub(size.extend().shl(3n)));
  const differing = value.xor(value.and(0xffn).mul(REPEATED_BYTE)).shl(unused);
  f.when(differing.isZero(), () => {
    host.emit(f);
    loadAt('i32', 8, f.state, RAX).emit(f);
    lengthBytes.emit(f);
    f.op(...MEMORY_FILL);
    f.result(count);
  });
  // One element, then as much again as there is, doubling: what is stored last ends where the operand does.
  const done = f.let(size.add(0));
  f.when(size.eq(8), () => storeAt(f, 64, host, value));
  f.when(size.eq(4), () => storeAt(f, 32, host, value.wrap()));
  f.when(size.eq(2), () => storeAt(f, 16, host, value.wrap()));
  f.when(done.ltU(lengthBytes), () =>
    f.repeat(() => {
      const rest = f.let(lengthBytes.sub(done));
      const more = f.let(done.add(0).orElse(done.ltU(rest), rest));
      host.add(done).emit(f);
      host.emit(f);
      more.emit(f);
      f.op(...MEMORY_COPY);
      done.set(done.add(more));
      return done.ltU(lengthBytes);
    }),
  );
  count.emit(f);
  return f;
}

function copy(readable: number, writable: number): FunctionCode {
  const f = new FunctionCode(BULK_TYPE);
  const [record, size] = [f.parameters[1]!, f.parameters[2]!];
  leaveUnlessFree(f);
  const base = loadAt('i64', 64, loadAt('i32', 16, record, RECORD.segmentBase));
  const from = f.let(loadAt('i64', 64, f.state, RSI).add(base));
  const to = f.let(loadAt('i64', 64, f.state, RDI).add(loadAt('i64', 64, f.state, offsetOf('segmentBases'))));
  const left = f.let(least(f, elementsLeft(from, size), elementsLeft(to, size)));
  const count = f.let(least(f, loadAt('i64', 64, f.state, RCX), left));
  const source = f.let(callOf(readable, f.state, from));
  const target = f.let(callOf(writable, f.state, to));
  const lengthBytes = f.let(count.wrap().mul(size));
  // A target behind the source's start is a pattern that repeats, which a copy at once is not.
  const overlaps = target.sub(source).ltU(lengthBytes);
  f.when(source.isZero().or(target.isZero()).or(overlaps), () => f.result(i64(0n)));
  target.emit(f);
  source.emit(f);
  lengthBytes.emit(f);
  f.op(...MEMORY_COPY);
  count.emit(f);
  return f;
}

/** Backwards, and where an interrupt waits or the instruction is watched, iterations are one by one. */
function leaveUnlessFree(f: FunctionCode): void {
  const backwards = loadAt('i64', 64, f.state, offsetOf('otherFlags')).and(DIRECTION_FLAG).ne(0n);
  f.when(backwards.or(loadAt('i32', 32, f.state, offsetOf('pending'))), () => f.result(i64(0n)));
}

/** Whole elements up to the end of the page. */
function elementsLeft(gva: Expression, size: Expression): Expression {
  const left = i32(PAGE_BYTES).sub(gva.wrap().and(PAGE_BYTES - 1));
  const shift = i32(31).sub(size.clz());
  return left.shr(shift).extend();
}

function least(f: FunctionCode, a: Expression, b: Expression): Expression {
  const [first, second] = [f.let(a), f.let(b)];
  return first.orElse(first.ltU(second), second);
}
