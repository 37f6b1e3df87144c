/** The builder's x87 operations, as calls of the module's functions for them. */
import type {
  ConditionCodes,
  Operand,
  StackPlace,
  Value,
  ValueBits,
  Widened,
  X87Binary,
  X87Builder,
  X87Comparison,
  X87Format,
  X87Split,
  X87Unary,
} from '@vireo/x86-isa';
import { offsetOf } from '../cpu-state.ts';
import { RECORD } from '../record.ts';
import { CONVERT, I32 } from '../wasm/instructions.ts';
import { OPERAND_PLACE } from '../x87/stack.ts';
import { ALL_CODES, STATUS, WITHHELD_SHIFT } from '../x87/status-word.ts';
import type { X87Functions } from '../x87/x87-functions.ts';
import { pushExtended } from './extended-value.ts';
import { RECORD_LOCAL, STATE_LOCAL } from './handler-type.ts';
import { pushRaise } from './raise.ts';
import { pushRip } from './rip.ts';
import { asWasm } from './wasm-value.ts';
import { X87State } from './x87-state.ts';

const ES = 0x80;

/** The local variable that has more bits for the control word; undefined: there are none. */
interface WidenedNumber {
  readonly control: number | undefined;
}

export class X87Operations extends X87State implements X87Builder {
  wait(): void {
    const { code } = this;
    code.get(STATE_LOCAL).load(32, offsetOf('x87Status')).i32(ES).op(I32.and);
    code.if(() => pushRaise(code, 'MF'));
  }

  remember(offset?: Value): void {
    const { code } = this;
    code.get(STATE_LOCAL);
    pushRip(code);
    code.store(64, offsetOf('x87Instruction'));
    code.get(STATE_LOCAL).get(RECORD_LOCAL).load(16, RECORD.immediate).store(32, offsetOf('x87Opcode'));
    if (offset) code.get(STATE_LOCAL).get(asWasm(offset).local).store(64, offsetOf('x87Data'));
  }

  widen(format: 'float' | 'integer', value: Value): Widened {
    const { code, functions } = this;
    code.get(STATE_LOCAL).get(asWasm(value).local);
    let control: number | undefined;
    if (format === 'integer') {
      this.#extendSigned(value.bits);
      code.call(functions.widenInteger);
    } else {
      code.call(functions.widen[value.bits as 32 | 64].index);
      control = code.local('i32');
      code.set(control);
    }
    return { control } satisfies WidenedNumber as unknown as Widened;
  }

  unary(operation: X87Unary): Value {
    return this.invoke(this.functions.unary[operation]);
  }

  binary(
    operation: X87Binary,
    destination: StackPlace,
    a: StackPlace | Widened,
    b: StackPlace | Widened,
  ): Value {
    return this.invoke(this.functions.binary[operation], () => {
      for (const place of [destination, a, b]) this.#pushPlace(place);
      this.#pushControl(a, b);
    });
  }

  split(operation: X87Split): Value {
    return this.invoke(this.functions.split[operation]);
  }

  compare(operation: X87Comparison, b: StackPlace | Widened): Value {
    return this.invoke(
      this.functions.compare[operation],
      () => {
        this.#pushPlace(b);
        this.#pushControl(b);
      },
      32,
    );
  }

  examine(): void {
    this.invoke(this.functions.examine);
  }

  move(destination: StackPlace, source: StackPlace, condition?: Value): Value {
    return this.invoke(condition ? this.functions.moveIf : this.functions.move, () => {
      this.#pushPlace(destination);
      this.#pushPlace(source);
      if (condition) this.code.get(asWasm(condition).local);
      else this.code.i32(1);
    });
  }

  exchange(place: StackPlace): void {
    this.invoke(this.functions.exchange, () => this.#pushPlace(place));
  }

  push(format: X87Format, value: Value): Value {
    const bits = format === 'integer' ? 64 : value.bits;
    const callee = this.functions.push[`${format}${bits}` as keyof X87Functions['push']];
    return this.invoke(callee, () => {
      this.code.get(asWasm(value).local);
      if (format === 'integer') this.#extendSigned(value.bits);
    });
  }

  pushCopy(place: StackPlace): Value {
    return this.invoke(this.functions.pushCopy, () => this.#pushPlace(place));
  }

  pushConstant(index: number): Value {
    return this.invoke(this.functions.pushConstant, () => this.code.i32(index));
  }

  narrow(format: X87Format, bits: 16 | 32 | 64 | 80): { readonly value: Value; readonly flags: Value } {
    const flags = this.invoke(this.functions.narrow[`${format}${bits}`]!, () => {}, 32);
    const value = this.result(bits, () => {
      if (bits === 80) pushExtended(this.code, () => this.code.get(STATE_LOCAL), offsetOf('x87Operand'));
      else this.code.get(STATE_LOCAL).load(bits, offsetOf('x87Operand'));
    });
    return { value, flags };
  }

  hasResult(flags: Value): Value {
    return this.result(1, () => {
      this.code.get(asWasm(flags).local).i32(WITHHELD_SHIFT).op(I32.shrU).i32(1).op(I32.and, I32.eqz);
    });
  }

  settle(flags: Value, codes: ConditionCodes): Value {
    return this.invoke(this.functions.settle, () => {
      this.code.get(asWasm(flags).local).i32(codes === 'all' ? ALL_CODES : STATUS.C1);
    });
  }

  pop(): void {
    this.code.get(STATE_LOCAL).call(this.functions.pop);
  }

  rotate(by: 1 | -1): void {
    this.code.get(STATE_LOCAL).i32(by).call(this.functions.rotate);
  }

  free(place: StackPlace): void {
    this.code.get(STATE_LOCAL);
    this.#pushPlace(place);
    this.code.call(this.functions.free);
  }

  /** An operand's place is in its record. */
  #pushPlace(place: StackPlace | Widened): void {
    if (typeof place === 'number') this.code.i32(place);
    else if (isOperand(place)) this.code.get(RECORD_LOCAL).load(16, RECORD.rm);
    else this.code.i32(OPERAND_PLACE);
  }

  #pushControl(...places: readonly (StackPlace | Widened)[]): void {
    const widened = places.find((it): it is Widened => typeof it === 'object' && !isOperand(it));
    const control = widened && (widened as unknown as WidenedNumber).control;
    if (control === undefined) this.code.i32(0);
    else this.code.get(control);
  }

  #extendSigned(bits: ValueBits): void {
    if (bits === 16) this.code.op(CONVERT.i32Extend16S);
    if (bits !== 64) this.code.op(CONVERT.i64ExtendI32S);
  }
}

const isOperand = (place: Operand | Widened): place is Operand => 'source' in place;
