/** The builder's operations on blocks of memory, through the buffer in the vCPU's state. */
import type { BlockBuilder, Operand, Value, ValueBits } from '@vireo/x86-isa';
import { offsetOf } from '../cpu-state.ts';
import { EXIT } from '../exit-reason.ts';
import type { Code, MemoryBits } from '../wasm/code.ts';
import { CONVERT, I32, I64 } from '../wasm/instructions.ts';
import type { BlockFunctions } from './block-functions.ts';
import { RECORD_LOCAL, STATE_LOCAL } from './handler-type.ts';
import type { OperandAccess } from './operand-access.ts';
import { pushRaise } from './raise.ts';
import { asValue, asWasm, typeOf } from './wasm-value.ts';

export class BlockOperations implements BlockBuilder {
  readonly #code: Code;
  readonly #operands: OperandAccess;
  readonly #functions: BlockFunctions;

  constructor(code: Code, operands: OperandAccess, functions: BlockFunctions) {
    this.#code = code;
    this.#operands = operands;
    this.#functions = functions;
  }

  align(operand: Operand, lengthBytes: number): void {
    const code = this.#code;
    this.#operands.pushLinear(operand);
    code
      .op(CONVERT.i32WrapI64)
      .i32(lengthBytes - 1)
      .op(I32.and);
    code.if(() => pushRaise(code, 'GP'));
  }

  load(operand: Operand, place: number, lengthBytes: number): void {
    this.#transfer(this.#functions.load, operand, place, lengthBytes);
  }

  store(operand: Operand, place: number, lengthBytes: number): void {
    this.#transfer(this.#functions.store, operand, place, lengthBytes);
  }

  get(place: number, bits: ValueBits): Value {
    const code = this.#code;
    code.get(STATE_LOCAL).load(memoryBits(bits), offsetOf('block') + place);
    const local = code.local(typeOf(bits));
    code.set(local);
    return asValue({ bits, local });
  }

  put(place: number, value: Value): void {
    const code = this.#code.get(STATE_LOCAL).get(asWasm(value).local);
    code.store(memoryBits(value.bits), offsetOf('block') + place);
  }

  #transfer(callee: number, operand: Operand, place: number, lengthBytes: number): void {
    const code = this.#code;
    code.get(STATE_LOCAL).get(RECORD_LOCAL);
    this.#operands.pushLinear(operand);
    code.i64(BigInt(place)).op(I64.add).i32(place).i32(lengthBytes).call(callee);
    code.op(I32.eqz).if(() => code.i32(EXIT.memoryFault).return());
  }
}

/** Of 80 bits there are sixteen bytes. */
function memoryBits(bits: ValueBits): MemoryBits {
  if (bits === 1) throw new Error('a bit has no place in memory');
  return bits === 80 ? 128 : bits;
}
