/** The builder's operations on values that are more than an instruction of WebAssembly's. */
import type { Halves, Value } from '@vireo/x86-isa';
import { I64 } from '../wasm/instructions.ts';
import type { ArithmeticFunctions } from './arithmetic-functions.ts';
import { ValueBuilder } from './value-builder.ts';
import { asValue } from './wasm-value.ts';

export class ArithmeticBuilder extends ValueBuilder {
  readonly #functions: ArithmeticFunctions;

  constructor(functions: ArithmeticFunctions) {
    super();
    this.#functions = functions;
  }

  multiplyWide(kind: 'signed' | 'unsigned', a: Value, b: Value): Halves {
    if (a.bits < 64) return this.#multiplyWithin64(kind, a, b);
    const { multiplyHighSigned, multiplyHighUnsigned } = this.#functions;
    const high = this.result(64, () =>
      this.get(a, b).call(kind === 'signed' ? multiplyHighSigned : multiplyHighUnsigned),
    );
    return { high, low: this.binary('mul', a, b) };
  }

  divideWide({ high, low }: Halves, divisor: Value): { quotient: Value; remainder: Value } {
    if (divisor.bits < 64) return this.#divideWithin64({ high, low }, divisor);
    this.get(high, low, divisor).call(this.#functions.divideWide);
    const [quotient, remainder] = [this.code.local('i64'), this.code.local('i64')];
    this.code.set(remainder).set(quotient);
    return {
      quotient: asValue({ bits: 64, local: quotient }),
      remainder: asValue({ bits: 64, local: remainder }),
    };
  }

  scatter(a: Value, mask: Value): Value {
    return this.#spread(this.#functions.scatter, a, mask);
  }

  gather(a: Value, mask: Value): Value {
    return this.#spread(this.#functions.gather, a, mask);
  }

  crc32c(checksum: Value, data: Value): Value {
    const wide = this.zeroExtend(data, 64);
    return this.result(32, () => {
      this.get(checksum, wide).i32(data.bits).call(this.#functions.crc32c);
    });
  }

  random(): Value {
    return this.result(64, () => this.code.call(this.#functions.random));
  }

  #spread(index: number, a: Value, mask: Value): Value {
    const [wideA, wideMask] = [this.zeroExtend(a, 64), this.zeroExtend(mask, 64)];
    const result = this.result(64, () => this.get(wideA, wideMask).call(index));
    return this.truncate(result, a.bits);
  }

  #multiplyWithin64(kind: 'signed' | 'unsigned', a: Value, b: Value): Halves {
    const extend = (value: Value) =>
      kind === 'signed' ? this.signExtend(value, 64) : this.zeroExtend(value, 64);
    const product = this.binary('mul', extend(a), extend(b));
    return { high: this.#upperPart(product, a.bits), low: this.truncate(product, a.bits) };
  }

  #upperPart(value: Value, from: Value['bits']): Value {
    return this.truncate(this.shift('shr', value, this.constant(8, from)), from);
  }

  #divideWithin64({ high, low }: Halves, divisor: Value): { quotient: Value; remainder: Value } {
    const { bits } = divisor;
    const upper = this.shift('shl', this.zeroExtend(high, 64), this.constant(8, bits));
    const dividend = this.binary('or', upper, this.zeroExtend(low, 64));
    const wideDivisor = this.zeroExtend(divisor, 64);
    const divided = (operation: number) =>
      this.truncate(
        this.result(64, () => this.get(dividend, wideDivisor).op(operation)),
        bits,
      );
    return { quotient: divided(I64.divU), remainder: divided(I64.remU) };
  }
}
