/** The body of one WebAssembly function, as bytes (WebAssembly Core Specification 3.0, §5.5.13 "Code Section"). */
import { ATOMIC_COMPARE_EXCHANGE, ATOMIC_LOAD, ATOMIC_STORE, LOAD, OP, STORE } from './instructions.ts';
import { signedLeb, unsignedLeb } from './leb128.ts';
import { VECTOR } from './vector-instructions.ts';

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';
export const VALUE_TYPE: Readonly<Record<ValueType, number>> = {
  ...{ i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b },
};
const NO_RESULT = 0x40;
const ATOMIC_PREFIX = 0xfe;
const ATOMIC_FENCE = 0x03;
const VECTOR_PREFIX = 0xfd;

export type AtomicBits = 8 | 16 | 32 | 64;
export type MemoryBits = AtomicBits | 128;
const ALIGNMENT: Readonly<Record<AtomicBits, number>> = { 8: 0, 16: 1, 32: 2, 64: 3 };

export interface FunctionType {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

export class Code {
  readonly type: FunctionType;
  readonly #bytes: number[] = [];
  readonly #locals: ValueType[] = [];
  /** Of the blocks that are open. */
  #depth = 0;

  constructor(type: FunctionType) {
    this.type = type;
  }

  /** A new local variable's index. */
  local(type: ValueType): number {
    this.#locals.push(type);
    return this.type.parameters.length + this.#locals.length - 1;
  }

  op(...bytes: number[]): this {
    this.#bytes.push(...bytes);
    return this;
  }

  /** An instruction of the vector extension, with its immediates. */
  vector(opcode: number, ...immediates: number[]): this {
    return this.op(VECTOR_PREFIX, ...unsignedLeb(opcode), ...immediates);
  }

  i32(value: number): this {
    return this.op(OP.i32Const, ...signedLeb(BigInt(value | 0)));
  }

  i64(value: bigint): this {
    return this.op(OP.i64Const, ...signedLeb(BigInt.asIntN(64, value)));
  }

  get(local: number): this {
    return this.op(OP.localGet, ...unsignedLeb(local));
  }

  set(local: number): this {
    return this.op(OP.localSet, ...unsignedLeb(local));
  }

  tee(local: number): this {
    return this.op(OP.localTee, ...unsignedLeb(local));
  }

  load(bits: MemoryBits, offset = 0): this {
    if (bits === 128) return this.vector(VECTOR.load, 0, ...unsignedLeb(offset));
    return this.op(LOAD[bits], 0, ...unsignedLeb(offset));
  }

  store(bits: MemoryBits, offset = 0): this {
    if (bits === 128) return this.vector(VECTOR.store, 0, ...unsignedLeb(offset));
    return this.op(STORE[bits], 0, ...unsignedLeb(offset));
  }

  /** Traps when the address is not aligned. */
  atomicLoad(bits: AtomicBits): this {
    return this.op(ATOMIC_PREFIX, ATOMIC_LOAD[bits], ALIGNMENT[bits], 0);
  }

  atomicStore(bits: AtomicBits): this {
    return this.op(ATOMIC_PREFIX, ATOMIC_STORE[bits], ALIGNMENT[bits], 0);
  }

  atomicCompareExchange(bits: AtomicBits): this {
    return this.op(ATOMIC_PREFIX, ATOMIC_COMPARE_EXCHANGE[bits], ALIGNMENT[bits], 0);
  }

  atomicFence(): this {
    return this.op(ATOMIC_PREFIX, ATOMIC_FENCE, 0);
  }

  call(functionIndex: number): this {
    return this.op(OP.call, ...unsignedLeb(functionIndex));
  }

  returnCall(functionIndex: number): this {
    return this.op(OP.returnCall, ...unsignedLeb(functionIndex));
  }

  returnCallIndirect(typeIndex: number): this {
    return this.op(OP.returnCallIndirect, ...unsignedLeb(typeIndex), 0);
  }

  if(then: () => void, otherwise?: () => void): this {
    this.op(OP.if, NO_RESULT);
    this.#depth++;
    then();
    if (otherwise) {
      this.op(OP.else);
      otherwise();
    }
    this.#depth--;
    return this.op(OP.end);
  }

  /** `body` may use the label to start again (`branchTo`), however deep in it. */
  loop(body: (label: number) => void): this {
    this.op(OP.loop, NO_RESULT);
    this.#depth++;
    body(this.#depth);
    this.#depth--;
    return this.op(OP.end);
  }

  branchTo(label: number): this {
    return this.branch(this.#depth - label);
  }

  branch(depth: number): this {
    return this.op(OP.br, ...unsignedLeb(depth));
  }

  return(): this {
    return this.op(OP.return);
  }

  /** The entry in the code section. */
  encode(): number[] {
    const locals = this.#locals.flatMap((type) => [1, VALUE_TYPE[type]]);
    const body = [...unsignedLeb(this.#locals.length), ...locals, ...this.#bytes, OP.end];
    return [...unsignedLeb(body.length), ...body];
  }
}
