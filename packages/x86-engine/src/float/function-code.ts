/**
 * Writes a WebAssembly function as expressions and statements, for what is too long for a stack machine's code: an
 * expression is a tree that is emitted where it is used, each time that it is; a variable keeps its value.
 */
import { offsetOf } from '../cpu-state.ts';
import { Code, type FunctionType, type ValueType } from '../wasm/code.ts';
import { CONVERT, I32, I64, OP } from '../wasm/instructions.ts';
import { EXTRACT_LANE, REPLACE_LANE } from '../wasm/vector-instructions.ts';
import { F32, F64, FLOAT_CONVERT } from './float-instructions.ts';

export type Term = Expression | number | bigint;

type Operation = Exclude<keyof typeof I32, 'eqz' | 'clz' | 'ctz' | 'popcnt'>;
type FloatOperation = keyof typeof F64;

export class Expression {
  readonly type: ValueType;
  readonly emit: (code: Code) => void;

  constructor(type: ValueType, emit: (code: Code) => void) {
    this.type = type;
    this.emit = emit;
  }

  static constant(type: ValueType, value: number | bigint): Expression {
    return new Expression(type, (code) => {
      if (type === 'i64') code.i64(BigInt(value));
      else code.i32(Number(value));
    });
  }

  add = (other: Term): Expression => this.#integer('add', other);
  sub = (other: Term): Expression => this.#integer('sub', other);
  mul = (other: Term): Expression => this.#integer('mul', other);
  and = (other: Term): Expression => this.#integer('and', other);
  or = (other: Term): Expression => this.#integer('or', other);
  xor = (other: Term): Expression => this.#integer('xor', other);
  shl = (count: Term): Expression => this.#integer('shl', count);
  shr = (count: Term): Expression => this.#integer('shrU', count);
  sar = (count: Term): Expression => this.#integer('shrS', count);
  eq = (other: Term): Expression => this.#integer('eq', other, 'i32');
  ne = (other: Term): Expression => this.#integer('ne', other, 'i32');
  ltU = (other: Term): Expression => this.#integer('ltU', other, 'i32');
  leU = (other: Term): Expression => this.#integer('leU', other, 'i32');
  ltS = (other: Term): Expression => this.#integer('ltS', other, 'i32');
  leS = (other: Term): Expression => this.#integer('leS', other, 'i32');

  isZero(): Expression {
    return this.#unary('i32', this.#table.eqz);
  }

  clz(): Expression {
    return this.#unary(this.type, this.#table.clz);
  }

  /** From an i32. */
  extend(signed = false): Expression {
    return this.#unary('i64', signed ? CONVERT.i64ExtendI32S : CONVERT.i64ExtendI32U);
  }

  wrap(): Expression {
    return this.#unary('i32', CONVERT.i32WrapI64);
  }

  /** This if the condition, an i32, is not 0. */
  orElse(condition: Expression, other: Term): Expression {
    const otherwise = this.#lift(other);
    return new Expression(this.type, (code) => {
      this.emit(code);
      otherwise.emit(code);
      condition.emit(code);
      code.op(OP.select);
    });
  }

  /** The same bits as the other kind of number. */
  reinterpret(): Expression {
    const [type, opcode] = FLOAT_CONVERT.reinterpret[this.type as 'i32'];
    return this.#unary(type, opcode);
  }

  float(operation: FloatOperation, other?: Expression): Expression {
    const table = this.type === 'f32' ? F32 : F64;
    const compares = ['eq', 'ne', 'lt', 'le'].includes(operation);
    return new Expression(compares ? 'i32' : this.type, (code) => {
      this.emit(code);
      other?.emit(code);
      code.op(table[operation]);
    });
  }

  convert(type: ValueType, opcode: number): Expression {
    return this.#unary(type, opcode);
  }

  /** An instruction on vectors. */
  vector(opcode: number, other?: Expression, type: ValueType = 'v128'): Expression {
    return new Expression(type, (code) => {
      this.emit(code);
      other?.emit(code);
      code.vector(opcode);
    });
  }

  lane(shape: 'i32x4' | 'i64x2', place: number): Expression {
    return new Expression(shape === 'i32x4' ? 'i32' : 'i64', (code) => {
      this.emit(code);
      code.vector(EXTRACT_LANE[shape], place);
    });
  }

  withLane(shape: 'i32x4' | 'i64x2', place: number, value: Expression): Expression {
    return new Expression('v128', (code) => {
      this.emit(code);
      value.emit(code);
      code.vector(REPLACE_LANE[shape], place);
    });
  }

  get #table(): typeof I32 {
    return this.type === 'i64' ? I64 : I32;
  }

  #lift(term: Term): Expression {
    return term instanceof Expression ? term : Expression.constant(this.type, term);
  }

  #unary(type: ValueType, opcode: number): Expression {
    return new Expression(type, (code) => {
      this.emit(code);
      code.op(opcode);
    });
  }

  #integer(operation: Operation, term: Term, type = this.type): Expression {
    const other = this.#lift(term);
    if (other.type !== this.type) throw new TypeError(`${operation} of ${this.type} and ${other.type}`);
    const opcode = this.#table[operation];
    return new Expression(type, (code) => {
      this.emit(code);
      other.emit(code);
      code.op(opcode);
    });
  }
}

export class Variable extends Expression {
  readonly local: number;
  readonly #code: Code;

  constructor(code: Code, type: ValueType, local: number) {
    super(type, (to) => to.get(local));
    this.#code = code;
    this.local = local;
  }

  set(value: Term): void {
    const expression = value instanceof Expression ? value : Expression.constant(this.type, value);
    if (expression.type !== this.type) throw new TypeError(`${expression.type} for ${this.type}`);
    expression.emit(this.#code);
    this.#code.set(this.local);
  }
}

type StateField = 'mxcsr' | 'floatFlags' | 'x87Control' | 'x87Status' | 'x87Tags';

/** A function whose first parameter is the address of the vCPU's state. */
export class FunctionCode extends Code {
  readonly parameters: readonly Variable[];

  constructor(type: FunctionType) {
    super(type);
    this.parameters = type.parameters.map((it, local) => new Variable(this, it, local));
  }

  get state(): Expression {
    return this.parameters[0]!;
  }

  let(value: Expression): Variable {
    const variable = new Variable(this, value.type, this.local(value.type));
    variable.set(value);
    return variable;
  }

  field(name: StateField): Expression {
    return new Expression('i32', (code) => {
      this.state.emit(code);
      code.load(32, offsetOf(name));
    });
  }

  setField(name: StateField, value: Term): void {
    this.state.emit(this);
    (value instanceof Expression ? value : Expression.constant('i32', value)).emit(this);
    this.store(32, offsetOf(name));
  }

  /** Notes exceptions of the instruction at hand. */
  note(flags: Term): void {
    this.setField('floatFlags', this.field('floatFlags').or(flags));
  }

  when(condition: Expression, then: () => void, otherwise?: () => void): void {
    condition.emit(this);
    this.if(then, otherwise);
  }

  /** Once, then again as long as the condition holds. */
  repeat(body: () => Expression): void {
    this.loop(() => {
      body().emit(this);
      this.op(OP.brIf, 0);
    });
  }

  result(value: Expression): void {
    value.emit(this);
    this.return();
  }

  /** What another function gives, with this one's state. */
  invoke(
    callee: { readonly index: number; readonly result: ValueType },
    ...values: readonly Expression[]
  ): Expression {
    return new Expression(callee.result, (code) => {
      for (const value of [this.state, ...values]) value.emit(code);
      code.call(callee.index);
    });
  }
}
