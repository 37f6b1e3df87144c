/** What of the x87 instructions read and write as words, for x87-operations.ts. */
import type { Value, ValueBits, X87Pointers } from '@vireo/x86-isa';
import { MMX_STRIDE_BYTES, offsetOf } from '../cpu-state.ts';
import type { Callee } from '../float/soft-function.ts';
import type { Code } from '../wasm/code.ts';
import { I32 } from '../wasm/instructions.ts';
import { CONTROL_FIXED, CONTROL_MASK, TOP_SHIFT } from '../x87/status-word.ts';
import type { X87Functions } from '../x87/x87-functions.ts';
import { pushExtended, storeExtended } from './extended-value.ts';
import { STATE_LOCAL } from './handler-type.ts';
import { asValue, asWasm, typeOf } from './wasm-value.ts';

const SLOT_SHIFT = Math.log2(MMX_STRIDE_BYTES);

export class X87State {
  protected readonly code: Code;
  protected readonly functions: X87Functions;

  constructor(code: Code, functions: X87Functions) {
    this.code = code;
    this.functions = functions;
  }

  control(): Value {
    return this.#word('x87Control', 16);
  }

  setControl(value: Value): void {
    const { code } = this;
    code
      .get(STATE_LOCAL)
      .get(asWasm(value).local)
      .i32(CONTROL_MASK)
      .op(I32.and)
      .i32(CONTROL_FIXED)
      .op(I32.or);
    code.store(32, offsetOf('x87Control'));
    code.get(STATE_LOCAL).call(this.functions.updatePending);
  }

  status(): Value {
    return this.#word('x87Status', 16);
  }

  setStatus(value: Value): void {
    this.code.get(STATE_LOCAL).get(asWasm(value).local).store(32, offsetOf('x87Status'));
    this.code.get(STATE_LOCAL).call(this.functions.updatePending);
  }

  tags(form: 'full' | 'abridged'): Value {
    return form === 'full' ? this.invoke(this.functions.fullTags, () => {}, 16) : this.#word('x87Tags', 8);
  }

  setTags(form: 'full' | 'abridged', value: Value): void {
    const { code } = this;
    code.get(STATE_LOCAL).get(asWasm(value).local);
    if (form === 'full') pushAbridged(code);
    code.store(32, offsetOf('x87Tags'));
  }

  usesRealFormat(): Value {
    return this.result(1, () => this.code.get(STATE_LOCAL).load(32, offsetOf('x87RealFormat')));
  }

  pointers(): X87Pointers {
    const pointer = (field: 'x87Instruction' | 'x87Data') =>
      this.result(64, () => this.code.get(STATE_LOCAL).load(64, offsetOf(field)));
    return {
      opcode: this.#word('x87Opcode', 16),
      instruction: pointer('x87Instruction'),
      data: pointer('x87Data'),
    };
  }

  setPointers({ opcode, instruction, data }: X87Pointers): void {
    const { code } = this;
    code.get(STATE_LOCAL).get(asWasm(opcode).local).i32(OPCODE_MASK).op(I32.and);
    code.store(32, offsetOf('x87Opcode'));
    code.get(STATE_LOCAL).get(asWasm(instruction).local).store(64, offsetOf('x87Instruction'));
    code.get(STATE_LOCAL).get(asWasm(data).local).store(64, offsetOf('x87Data'));
  }

  register(number: number): Value {
    return this.result(80, () => pushExtended(this.code, () => this.#pushSlot(number), offsetOf('x87')));
  }

  setRegister(number: number, value: Value): void {
    storeExtended(this.code, () => this.#pushSlot(number), asWasm(value).local, offsetOf('x87'));
  }

  /** What a function gives for the state and what `push` leaves. */
  protected invoke({ index }: Callee, push: () => void = () => {}, bits: ValueBits = 1): Value {
    return this.result(bits, () => {
      this.code.get(STATE_LOCAL);
      push();
      this.code.call(index);
    });
  }

  protected result(bits: ValueBits, make: () => void): Value {
    make();
    const local = this.code.local(typeOf(bits));
    this.code.set(local);
    return asValue({ bits, local });
  }

  #word(field: 'x87Control' | 'x87Status' | 'x87Tags' | 'x87Opcode', bits: 8 | 16): Value {
    return this.result(bits, () => this.code.get(STATE_LOCAL).load(32, offsetOf(field)));
  }

  /** ST(i)'s register, from the state's address on. */
  #pushSlot(number: number): void {
    const { code } = this;
    code.get(STATE_LOCAL).load(32, offsetOf('x87Status')).i32(TOP_SHIFT).op(I32.shrU);
    code.i32(number).op(I32.add).i32(7).op(I32.and).i32(SLOT_SHIFT).op(I32.shl);
    code.get(STATE_LOCAL).op(I32.add);
  }
}

const OPCODE_MASK = 0x7ff;

/** Of two bits each, what is not 11B, as one bit. */
function pushAbridged(code: Code): void {
  const word = code.local('i32');
  code.tee(word).get(word).i32(1).op(I32.shrU, I32.and).i32(-1).op(I32.xor).i32(0x5555).op(I32.and);
  for (const [shift, mask] of [
    [1, 0x3333],
    [2, 0x0f0f],
    [4, 0x00ff],
  ] as const)
    code.tee(word).get(word).i32(shift).op(I32.shrU, I32.or).i32(mask).op(I32.and);
}
