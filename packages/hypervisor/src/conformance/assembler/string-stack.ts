/** Strings, the stack, flags and prefixes (Intel SDM Vol. 1 §7.3.9 "String Operations", §6.2 "Stacks"). */
import type { CodeBits } from './encoder.ts';
import { IntegerInstructions, isOperand, type Source } from './integer.ts';
import type { OperandBits, RegisterOrMemory, SegmentRegister } from './operands.ts';

export interface StringOptions {
  /** Overrides DS for the source. */
  readonly segment?: SegmentRegister;
  /** Size of SI, DI and CX. */
  readonly addressBits?: CodeBits;
}

export class StringAndStackInstructions extends IntegerInstructions {
  readonly movs = this.stringOperation(0xa4);
  readonly cmps = this.stringOperation(0xa6);
  readonly stos = this.stringOperation(0xaa);
  readonly lods = this.stringOperation(0xac);
  readonly scas = this.stringOperation(0xae);
  readonly ins = this.stringOperation(0x6c);
  readonly outs = this.stringOperation(0x6e);

  readonly nop = this.fixed(0x90);
  readonly pause = this.fixed(0xf3, 0x90);
  readonly clc = this.fixed(0xf8);
  readonly stc = this.fixed(0xf9);
  readonly cmc = this.fixed(0xf5);
  readonly cld = this.fixed(0xfc);
  readonly std = this.fixed(0xfd);
  readonly lahf = this.fixed(0x9f);
  readonly sahf = this.fixed(0x9e);

  /** Prefixes of the instruction that follows. */
  readonly lock = this.fixed(0xf0);
  readonly rep = this.fixed(0xf3);
  readonly repne = this.fixed(0xf2);

  push(source: Source | SegmentRegister): void {
    if (!isOperand(source)) {
      this.db(0x68);
      this.value(source, this.codeBits === 16 ? 2 : 4);
    } else if (source.kind === 'segment') {
      if (source.code >= 4) this.db(0x0f, source.code === 4 ? 0xa0 : 0xa8);
      else this.db(0x06 | (source.code << 3));
    } else {
      this.#stackOperand(source, 0x50, [0xff], 6);
    }
  }

  pop(destination: RegisterOrMemory | SegmentRegister): void {
    if (destination.kind === 'segment') {
      if (destination.code >= 4) this.db(0x0f, destination.code === 4 ? 0xa1 : 0xa9);
      else this.db(0x07 | (destination.code << 3));
    } else {
      this.#stackOperand(destination, 0x58, [0x8f], 0);
    }
  }

  /** PUSHF, PUSHFD or PUSHFQ: the size is the code's, or another where the mode has one. */
  pushf(bits: CodeBits = this.codeBits): void {
    this.sizePrefixes(bits === 64 ? 0 : bits);
    this.db(0x9c);
  }

  popf(bits: CodeBits = this.codeBits): void {
    this.sizePrefixes(bits === 64 ? 0 : bits);
    this.db(0x9d);
  }

  protected stringOperation(opcode: number): (bits: OperandBits, options?: StringOptions) => void {
    return (bits, { segment, addressBits = this.codeBits } = {}) => {
      if (segment !== undefined) this.db(segment.prefix);
      this.addressPrefix(addressBits);
      this.sizePrefixes(bits);
      this.db(opcode | (bits === 8 ? 0 : 1));
    };
  }

  /** Stack operands are 64 bits wide in 64-bit code without REX.W. */
  #stackOperand(
    operand: RegisterOrMemory,
    short: number,
    opcode: readonly number[],
    extension: number,
  ): void {
    if (operand.bits === 8 || operand.bits === 0) throw new Error('a stack operand has 16, 32 or 64 bits');
    const bits = operand.bits === 64 && this.codeBits === 64 ? 0 : operand.bits;
    if (operand.kind === 'memory') {
      this.modRm({ opcode, reg: extension, rm: operand, bits });
      return;
    }
    if (operand.code > 7) this.db(...(bits === 16 ? [0x66] : []), 0x41);
    else this.sizePrefixes(bits);
    this.db(short | (operand.code & 7));
  }
}
